package main

import (
	"slices"
	"strconv"
)

// The print farm as its specification describes it (the rules of print jobs of the HTTP contract, and
// src/fsm/SPEC.md), written from those pages and not from the code. A farm is never changed: every
// write gives a new one that shares what did not change, because the search keeps many of them.

// object is a printer, a spool or a job; the fields of the other kinds are empty.
type object struct {
	about collection
	id    ident

	company, model string

	material, color            string
	total, remaining, reserved int64

	printer, filament ident
	filepath          string
	weight            int64
	status            string

	// The log index of the last change. Negative: of a write whose outcome nobody learned, so that its
	// index is not known; see mark.
	version int64
	// The version before that, which is smaller.
	before int64
	// The version at its creation.
	created int64
	// Of a printer or a spool: its Queued and Running jobs.
	active int64
}

// transitions says for each status what a job may become.
var transitions = map[string][]string{
	"Queued":   {"Running", "Canceled"},
	"Running":  {"Done", "Canceled"},
	"Done":     {},
	"Canceled": {},
}

func isActive(status string) bool { return status == "Queued" || status == "Running" }

// table is a collection in the order of creation; what was deleted leaves a hole.
type table struct {
	rows vector[*object]
	live int
	// By the number of the key (see names): the place of the row, plus one.
	places vector[int32]
	next   int64
}

type farm struct {
	printers, filaments, jobs table
}

// names numbers the keys that occur, so that a table can be a vector.
type names map[string]int

func (n names) number(key string) int {
	if at, ok := n[key]; ok {
		return at
	}
	n[key] = len(n)
	return len(n) - 1
}

func emptyFarm() farm {
	return farm{printers: table{next: 1}, filaments: table{next: 1}, jobs: table{next: 1}}
}

func (f *farm) table(about collection) *table {
	switch about {
	case printers:
		return &f.printers
	case filaments:
		return &f.filaments
	default:
		return &f.jobs
	}
}

func (t *table) get(n names, key string) *object {
	at, ok := n[key]
	if !ok || t.places.at(at) == 0 {
		return nil
	}
	return t.rows.at(int(t.places.at(at)) - 1)
}

// put replaces a row that is there.
func (t *table) put(n names, row *object) {
	t.rows = t.rows.with(int(t.places.at(n[row.id.key]))-1, row)
}

// add appends a row, and moves the next id on to the first number that is not taken.
func (t *table) add(n names, row *object) {
	t.places = t.places.with(n.number(row.id.key), int32(t.rows.size+1))
	t.rows = t.rows.with(t.rows.size, row)
	t.live++
	for t.get(n, strconv.FormatInt(t.next, 10)) != nil {
		t.next++
	}
}

func (t *table) remove(n names, key string) {
	t.rows = t.rows.with(int(t.places.at(n[key]))-1, nil)
	t.places = t.places.with(n[key], 0)
	t.live--
}

// refusal is what a rule says, with everything that an answer may say about it.
type refusal struct {
	code                              string
	id                                ident
	from, to                          string
	remaining, reserved, asked, total int64
	jobs                              int64
	fields                            []string
	// Of version_mismatch: the object whose version was not the expected one.
	object *object
}

// do carries out a command under a version, or says which rule refuses it. `expects` answers whether
// an object has one of the versions that the client expects. The object is null after a delete.
func (f farm) do(n names, r *request, version int64, expects func(*object) bool) (farm, *object, *refusal) {
	switch r.Kind {
	case "create-printer":
		return f.create(n, r, &object{about: printers, company: r.Company, model: r.Model}, version)
	case "create-filament":
		return f.create(n, r, &object{
			about: filaments, material: r.Type, color: r.Color, total: r.Total, remaining: r.Remaining,
		}, version)
	case "create-job":
		return f.createJob(n, r, version)
	}
	t := f.table(r.about())
	old := t.get(n, r.Key)
	if old == nil {
		return f, nil, &refusal{code: "not_found"}
	}
	if r.Expected != nil && !expects(old) {
		return f, nil, &refusal{code: "version_mismatch", object: old}
	}
	switch r.Kind {
	case "delete-printer", "delete-filament":
		if old.active > 0 {
			return f, nil, &refusal{code: "in_use", id: old.id, jobs: old.active}
		}
		t.remove(n, r.Key)
		return f, nil, nil
	case "update-printer":
		row := old.changed(version)
		set(&row.company, r.Changes.Company)
		set(&row.model, r.Changes.Model)
		t.put(n, row)
		return f, row, nil
	case "update-filament":
		row := old.changed(version)
		set(&row.material, r.Changes.Type)
		set(&row.color, r.Changes.Color)
		set(&row.total, r.Changes.Total)
		set(&row.remaining, r.Changes.Remaining)
		if row.reserved > row.remaining || row.remaining > row.total {
			return f, nil, &refusal{
				code: "weight_conflict", total: row.total, remaining: row.remaining, reserved: row.reserved,
			}
		}
		t.put(n, row)
		return f, row, nil
	default:
		return f.changeStatus(n, r.To, old, version)
	}
}

func (f farm) create(n names, r *request, row *object, version int64) (farm, *object, *refusal) {
	t := f.table(row.about)
	row.version, row.created = version, version
	if r.ID == nil {
		row.id = ident{key: strconv.FormatInt(t.next, 10), isNumber: true}
	} else {
		row.id = *r.ID
		if holder := t.get(n, r.ID.key); holder != nil {
			return f, nil, &refusal{code: "duplicate_id", id: holder.id}
		}
	}
	t.add(n, row)
	return f, row, nil
}

func (f farm) createJob(n names, r *request, version int64) (farm, *object, *refusal) {
	printer, spool := f.printers.get(n, r.PrinterID.key), f.filaments.get(n, r.FilamentID.key)
	var missing []string
	if printer == nil {
		missing = append(missing, "printer_id")
	}
	if spool == nil {
		missing = append(missing, "filament_id")
	}
	if missing != nil {
		return f, nil, &refusal{code: "unknown_reference", fields: missing}
	}
	row := &object{
		about: jobs, printer: printer.id, filament: spool.id,
		filepath: r.Filepath, weight: r.Weight, status: "Queued",
	}
	g, row, no := f.create(n, r, row, version)
	if no != nil {
		return f, nil, no
	}
	if r.Weight > spool.remaining-spool.reserved {
		return f, nil, &refusal{
			code: "not_enough_filament", remaining: spool.remaining, reserved: spool.reserved, asked: r.Weight,
		}
	}
	g.occupy(n, row, 1, version)
	return g, row, nil
}

// occupy lets a job begin (1) or cease (-1) to hold its printer and the grams of its spool.
func (f *farm) occupy(n names, job *object, sign, version int64) {
	printer := *f.printers.get(n, job.printer.key)
	printer.active += sign
	f.printers.put(n, &printer)
	spool := f.filaments.get(n, job.filament.key).changed(version)
	spool.active += sign
	spool.reserved += sign * job.weight
	if job.status == "Done" {
		spool.remaining -= job.weight
	}
	f.filaments.put(n, spool)
}

func (f farm) changeStatus(n names, to string, old *object, version int64) (farm, *object, *refusal) {
	if !slices.Contains(transitions[old.status], to) {
		return f, nil, &refusal{code: "transition_not_allowed", from: old.status, to: to}
	}
	row := old.changed(version)
	row.status = to
	f.jobs.put(n, row)
	if !isActive(to) {
		f.occupy(n, row, -1, version)
	}
	return f, row, nil
}

func (o *object) changed(version int64) *object {
	row := *o
	row.version, row.before = version, o.version
	return &row
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// vector is a persistent array: a copy with one element changed shares all but one chunk.
type vector[T comparable] struct {
	chunks [][]T
	size   int
}

const chunk = 32

func (v vector[T]) at(i int) T {
	if i >= v.size {
		var zero T
		return zero
	}
	return v.chunks[i/chunk][i%chunk]
}

func (v vector[T]) with(i int, value T) vector[T] {
	w := vector[T]{chunks: slices.Clone(v.chunks), size: max(v.size, i+1)}
	for len(w.chunks)*chunk <= i {
		w.chunks = append(w.chunks, make([]T, chunk))
	}
	w.chunks[i/chunk] = slices.Clone(w.chunks[i/chunk])
	w.chunks[i/chunk][i%chunk] = value
	return w
}

// equal compares by `same`, and skips chunks that both share.
func (v vector[T]) equal(w vector[T], same func(a, b T) bool) bool {
	if v.size != w.size {
		return false
	}
	for i := range v.chunks {
		if &v.chunks[i][0] == &w.chunks[i][0] {
			continue
		}
		if !slices.EqualFunc(v.chunks[i], w.chunks[i], same) {
			return false
		}
	}
	return true
}

func (f *farm) equal(g *farm) bool {
	return f.printers.equal(&g.printers) && f.filaments.equal(&g.filaments) && f.jobs.equal(&g.jobs)
}

func (t *table) equal(u *table) bool {
	return t.next == u.next && t.rows.equal(u.rows, func(a, b *object) bool {
		return a == b || a != nil && b != nil && *a == *b
	})
}
