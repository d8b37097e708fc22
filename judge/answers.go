package main

import (
	"fmt"
	"slices"
)

// Is an answer right in a state? Each function says "" if it is, else what is wrong with it. The text
// is only put together when somebody will read it: the search asks this question millions of times.

const wrong = "wrong"

func (s *search) because(format string, args ...any) string {
	if !s.explains {
		return wrong
	}
	return fmt.Sprintf(format, args...)
}

// bound is what was learned about versions: `version` is that of the write with this mark.
type bound struct{ mark, version int64 }

// view is a state in which versions are being learned; `learned` is copied before it is changed.
type view struct {
	search  *search
	farm    *farm
	learned []bound
}

// resolve gives a version as a number, 0 if it is not known.
func (v *view) resolve(version int64) int64 {
	if version > 0 {
		return version
	}
	for _, b := range v.learned {
		if b.mark == version {
			return b.version
		}
	}
	return 0
}

// learn says whether an object can have this version, and if its version was not known, notes it: the
// writes of known version are others, and so are those of other marks.
func (v *view) learn(version, before, claimed int64) bool {
	if known := v.resolve(version); known != 0 {
		return known == claimed
	}
	if v.search.taken[claimed] || claimed <= v.resolve(before) {
		return false
	}
	for _, b := range v.learned {
		if b.version == claimed {
			return false
		}
	}
	// In the order of the marks, so that equal knowledge looks equal.
	at, _ := slices.BinarySearchFunc(v.learned, version, func(b bound, mark int64) int { return int(b.mark - mark) })
	v.learned = slices.Insert(slices.Clone(v.learned), at, bound{version, claimed})
	return true
}

// expects says whether an object has a version that the client expects. If its version is not known and
// only one of the expected ones is possible, then it is that one; with several, all of them are believed.
// So is a client who was told that it is none of them.
func (v *view) expects(op *operation) func(*object) bool {
	return func(o *object) bool {
		if known := v.resolve(o.version); known != 0 {
			return slices.Contains(*op.req.Expected, known)
		}
		if op.code == "version_mismatch" {
			return false
		}
		var possible []int64
		for _, version := range *op.req.Expected {
			trial := *v
			if trial.learn(o.version, o.before, version) {
				possible = append(possible, version)
			}
		}
		if len(possible) == 1 {
			v.learn(o.version, o.before, possible[0])
		}
		return len(possible) > 0
	}
}

// sees compares an object as the model has it with what a client saw.
func (v *view) sees(o *object, one *seen) string {
	s := v.search
	if o.version > 0 && o.version != one.version {
		return s.because("%s is of version %d, not %d", o, o.version, one.version)
	}
	if field, has, said := o.differs(&one.object); field != "" {
		return s.because("%s of %s is %v, not %v", field, o, has, said)
	}
	if !v.learn(o.version, o.before, one.version) {
		return s.because("%s cannot be of version %d", o, one.version)
	}
	if one.createdIndex != 0 && !v.learn(o.created, 0, one.createdIndex) {
		return s.because("%s was not created at %d", o, one.createdIndex)
	}
	return ""
}

// grows says whether a write's version is after the one that the object had.
func (v *view) grows(row *object) string {
	if had := v.resolve(row.before); row.version > 0 && had >= row.version {
		return v.search.because("%s had version %d already", row, had)
	}
	return ""
}

// differs names the first field in which a client saw something else.
func (o *object) differs(p *object) (field string, has, said any) {
	switch {
	case o.id != p.id:
		return "id", o.id, p.id
	case o.company != p.company:
		return "company", o.company, p.company
	case o.model != p.model:
		return "model", o.model, p.model
	case o.material != p.material:
		return "type", o.material, p.material
	case o.color != p.color:
		return "color", o.color, p.color
	case o.total != p.total:
		return "total_weight_in_grams", o.total, p.total
	case o.remaining != p.remaining:
		return "remaining_weight_in_grams", o.remaining, p.remaining
	case o.reserved != p.reserved:
		return "reserved_weight_in_grams", o.reserved, p.reserved
	case o.printer != p.printer:
		return "printer_id", o.printer, p.printer
	case o.filament != p.filament:
		return "filament_id", o.filament, p.filament
	case o.filepath != p.filepath:
		return "filepath", o.filepath, p.filepath
	case o.weight != p.weight:
		return "print_weight_in_grams", o.weight, p.weight
	case o.status != p.status:
		return "status", o.status, p.status
	}
	return "", nil, nil
}

func (o *object) String() string { return fmt.Sprintf("%s/%s", o.about, o.id.key) }

// reads judges the answer of a get or a list.
func (v *view) reads(op *operation) string {
	s, r := v.search, &op.req
	t := v.farm.table(r.Collection)
	if r.Kind == "get" {
		o := t.get(s.names, r.Key)
		switch {
		case op.outcome == rejected && op.code != "not_found":
			return s.because("a get is never refused as %s", op.code)
		case op.outcome == rejected && o != nil:
			return s.because("%s is there", o)
		case op.outcome == rejected:
			return ""
		case o == nil:
			return s.because("there is no %s/%s", r.Collection, r.Key)
		}
		return v.sees(o, op.object)
	}
	if op.outcome == rejected {
		return s.because("a list is never refused")
	}
	return v.lists(t, op)
}

// lists compares from the end, where what is new stands, so that a list that does not fit is soon put away.
func (v *view) lists(t *table, op *operation) string {
	s, r := v.search, &op.req
	isFiltered := r.Status != nil || r.PrinterID != nil || r.FilamentID != nil
	if !isFiltered && t.live != len(op.objects) && !s.explains {
		return wrong
	}
	left := len(op.objects)
	for i := t.rows.size - 1; i >= 0; i-- {
		o := t.rows.at(i)
		if o == nil || isFiltered && !r.matches(o) {
			continue
		}
		if left == 0 {
			return s.because("the list lacks %s", o)
		}
		one := op.objects[left-1]
		if one.id.key != o.id.key {
			return s.because("the list has %s where %s is", &one.object, o)
		}
		if no := v.sees(o, one); no != "" {
			return no
		}
		left--
	}
	if left > 0 {
		return s.because("the list has %s, which is not there", &op.objects[left-1].object)
	}
	return ""
}

func (r *request) matches(o *object) bool {
	return (r.Status == nil || slices.Contains(r.Status, o.status)) &&
		(r.PrinterID == nil || r.PrinterID.key == o.printer.key) &&
		(r.FilamentID == nil || r.FilamentID.key == o.filament.key)
}

// refuses judges a refusal: the rule that is named must refuse here, for the reasons that are given.
func (v *view) refuses(op *operation) string {
	s := v.search
	// The version is not used: nothing that is refused is kept.
	_, _, no := v.farm.do(s.names, &op.req, forever, v.expects(op))
	if no == nil {
		return s.because("no rule refuses it")
	}
	if no.code != op.code {
		return s.because("it is refused as %s, not as %s", no.code, op.code)
	}
	if op.detail == nil {
		return ""
	}
	if said := op.detail.Version; said != nil && no.object != nil && slices.Contains(*op.req.Expected, *said) {
		return s.because("version %d was expected", *said)
	}
	return v.explains(no, op.detail)
}

func (v *view) explains(no *refusal, d *detail) string {
	s := v.search
	differ := func(name string, said *int64, is int64) string {
		if said == nil || *said == is {
			return ""
		}
		return s.because("%s is %d, not %d", name, is, *said)
	}
	first := func(texts ...string) string {
		for _, text := range texts {
			if text != "" {
				return text
			}
		}
		return ""
	}
	switch no.code {
	case "duplicate_id", "in_use":
		if d.ID != nil && *d.ID != no.id {
			return s.because("the id is %s, not %s", no.id, *d.ID)
		}
		if no.code == "in_use" {
			return differ("jobs", d.Jobs, no.jobs)
		}
	case "transition_not_allowed":
		switch {
		case d.From != nil && *d.From != no.from:
			return s.because("the job is %s, not %s", no.from, *d.From)
		case d.To != nil && *d.To != no.to:
			return s.because("it was to be %s, not %s", no.to, *d.To)
		case d.Allowed != nil && !slices.Equal(slices.Sorted(slices.Values(d.Allowed)), slices.Sorted(slices.Values(transitions[no.from]))):
			return s.because("from %s not %v is allowed", no.from, d.Allowed)
		}
	case "not_enough_filament":
		return first(differ("remaining", d.Remaining, no.remaining),
			differ("reserved", d.Reserved, no.reserved), differ("asked", d.Asked, no.asked))
	case "weight_conflict":
		return first(differ("total", d.Total, no.total),
			differ("remaining", d.Remaining, no.remaining), differ("reserved", d.Reserved, no.reserved))
	case "version_mismatch":
		if d.Version != nil && !v.learn(no.object.version, no.object.before, *d.Version) {
			return s.because("%s cannot be of version %d", no.object, *d.Version)
		}
	case "unknown_reference":
		var said []string
		for _, one := range append(d.Fields, d.Errors...) {
			said = append(said, one.Field)
		}
		if said != nil && !slices.Equal(slices.Sorted(slices.Values(said)), slices.Sorted(slices.Values(no.fields))) {
			return s.because("what is missing is %v, not %v", no.fields, said)
		}
	}
	return ""
}
