package main

import (
	"fmt"
	"slices"
)

// What can be said about unknown outcomes before any order is searched. A write whose outcome nobody
// learned may have happened at any time after its call, or never, and each of them doubles the number
// of orders. Most leave evidence, because what they write can be told from what others write:
//
//   - It was seen: then it happened, before the first operation that saw it returned. If what was seen
//     names its log index, it even has its place in the order of the writes.
//   - Somebody looked and did not see it, though once done it could not have gone away: then it
//     happened after that, or never.
//   - It can only succeed once, and another request is known to have succeeded with it.
//   - Nothing that anybody was told depends on it: then it is left out.
//
// Every conclusion holds in every legal order, so that a history is legal with them if and only if it
// is without. Where an exception can be thought of (an id that may come again, an expected version),
// nothing is concluded, and the search tries.

// flaw is a reason for which no order can be right, found without a search.
type flaw struct {
	text string
	ops  []*operation
}

// sight is an object, or of a job its status alone, that an operation showed.
type sight struct {
	op     *operation
	object *seen
	status string
}

type evidence struct {
	ops []*operation
	// Sights and requests by collection and key, and by the words in objects.
	sights  map[string][]sight
	asked   map[string][]*operation
	words   map[string][]sight
	writers map[string]int
	// Keys of objects that an acknowledged write made under an id of the server's choice: no other
	// object ever has them (SPEC.md, rule 7).
	settled map[string]*operation
	// Keys that a client chose: these may come again.
	chosen map[string]bool
	gone   map[*operation]bool
	flaws  []flaw
}

func at(about collection, key string) string { return string(about) + "/" + key }

// text fields are what an unknown write can be known by.
func (o *object) texts() []string {
	switch o.about {
	case printers:
		return []string{"company " + o.company, "model " + o.model}
	case filaments:
		return []string{"color " + o.color}
	default:
		return []string{"filepath " + o.filepath}
	}
}

func (r *request) texts() []string {
	switch r.Kind {
	case "create-printer":
		return []string{"company " + r.Company, "model " + r.Model}
	case "create-filament":
		return []string{"color " + r.Color}
	case "create-job":
		return []string{"filepath " + r.Filepath}
	}
	if r.Changes == nil {
		return nil
	}
	var all []string
	for name, value := range map[string]*string{
		"company ": r.Changes.Company, "model ": r.Changes.Model, "color ": r.Changes.Color,
	} {
		if value != nil {
			all = append(all, name+*value)
		}
	}
	return all
}

// settle reads the evidence, and gives the operations that have to be placed.
func (h *history) settle() ([]*operation, []flaw) {
	e := &evidence{
		sights: map[string][]sight{}, asked: map[string][]*operation{}, words: map[string][]sight{},
		writers: map[string]int{}, settled: map[string]*operation{}, chosen: map[string]bool{},
		gone: map[*operation]bool{},
	}
	e.gather(h)
	var unknowns []*operation
	for _, op := range e.ops {
		if op.outcome == unknown {
			op.isLazy = true
			unknowns = append(unknowns, op)
		}
	}
	for _, op := range unknowns {
		switch {
		case op.req.isCreate():
			e.creation(op)
		case op.req.Changes != nil:
			e.update(op)
		}
	}
	e.groups(unknowns)
	e.indexes()
	return slices.DeleteFunc(e.ops, func(op *operation) bool { return e.gone[op] }), e.flaws
}

func (e *evidence) gather(h *history) {
	for _, op := range h.ops {
		// Not asked for, or nothing learned: a read that failed, a write that was never proposed.
		if op.outcome == none || op.req.isRead() && op.outcome == unknown {
			continue
		}
		e.ops = append(e.ops, op)
		r, about := &op.req, op.req.about()
		if r.isRead() {
			if r.Kind == "get" {
				e.asked[at(about, r.Key)] = append(e.asked[at(about, r.Key)], op)
			}
			continue
		}
		for _, word := range r.texts() {
			e.writers[string(about)+word]++
		}
		switch {
		case !r.isCreate():
			e.asked[at(about, r.Key)] = append(e.asked[at(about, r.Key)], op)
		case r.ID != nil:
			e.chosen[at(about, r.ID.key)] = true
		case op.outcome == done:
			e.settled[at(about, op.object.id.key)] = op
		}
	}
	e.look()
}

// look notes all that was seen, as far as an unknown write may be known by it.
func (e *evidence) look() {
	keys, words := map[string]bool{}, map[string]bool{}
	for _, op := range e.ops {
		if op.outcome == unknown {
			about := op.req.about()
			keys[at(about, op.req.Key)] = true
			for _, word := range op.req.texts() {
				words[string(about)+word] = true
			}
		}
	}
	for _, op := range e.ops {
		about := op.req.about()
		note := func(one *seen) {
			key := at(about, one.id.key)
			if keys[key] {
				e.sights[key] = append(e.sights[key], sight{op, one, one.status})
			}
			for _, word := range one.texts() {
				if word = string(about) + word; words[word] {
					e.words[word] = append(e.words[word], sight{op, one, one.status})
				}
			}
		}
		if op.object != nil {
			note(op.object)
		}
		for _, one := range op.objects {
			note(one)
		}
		if op.code == "transition_not_allowed" && op.detail != nil && op.detail.From != nil {
			key := at(about, op.req.Key)
			e.sights[key] = append(e.sights[key], sight{op, nil, *op.detail.From})
		}
	}
}

// unique says whether nobody else writes this word.
func (e *evidence) unique(op *operation, word string) bool {
	return e.writers[string(op.req.about())+word] == 1
}

// happened makes a write of unknown outcome one that must be placed before these returned.
func (e *evidence) happened(op *operation, sights []sight) {
	op.isLazy = false
	for _, s := range sights {
		op.ret = min(op.ret, s.op.ret)
		if s.op.ret < op.call {
			e.flaws = append(e.flaws, flaw{"something was seen before it was asked for", []*operation{s.op, op}})
		}
	}
}

// notBefore notes that a write can only have happened after these.
func (op *operation) notBefore(other *operation) {
	op.after = append(op.after, other)
	op.call = max(op.call, other.call)
}

func (e *evidence) creation(op *operation) {
	about := op.req.about()
	for _, word := range op.req.texts() {
		if !e.unique(op, word) {
			continue
		}
		if sights := e.words[string(about)+word]; len(sights) > 0 {
			e.happened(op, sights)
			op.assigned = &sights[0].object.id
			for _, s := range sights {
				op.version = max(op.version, e.creationIndex(s.object))
			}
			return
		}
		if e.canHide(op) {
			continue
		}
		for _, list := range e.ops {
			if r := &list.req; r.Kind == "list" && r.Collection == about && list.outcome == done && r.covers(&op.req) {
				op.notBefore(list)
			}
		}
		return
	}
}

// creationIndex is the log index of an object's creation, if what was seen tells it.
func (e *evidence) creationIndex(o *seen) int64 {
	switch {
	case o.createdIndex > 0:
		return o.createdIndex
	case o.about == jobs && o.status == "Queued":
		return o.version
	}
	return 0
}

// canHide says whether something created may have become invisible by its word: renamed, or deleted.
// What is renamed or deleted by its key is another object if its key is settled.
func (e *evidence) canHide(op *operation) bool {
	about := op.req.about()
	for _, other := range e.ops {
		r := &other.req
		if r.about() != about || r.isRead() || r.isCreate() || r.Kind == "change-job-status" || other.outcome == rejected {
			continue
		}
		isOwn := op.req.ID != nil && op.req.ID.key == r.Key
		if isOwn || e.settled[at(about, r.Key)] == nil {
			return true
		}
	}
	return false
}

// covers says whether a list shows every object that this request creates, whatever became of it.
func (r *request) covers(create *request) bool {
	return r.Status == nil &&
		(r.PrinterID == nil || r.PrinterID.key == create.PrinterID.key) &&
		(r.FilamentID == nil || r.FilamentID.key == create.FilamentID.key)
}

func (e *evidence) update(op *operation) {
	about, c := op.req.about(), op.req.Changes
	isTold := c.Type == nil && c.Total == nil && c.Remaining == nil
	for _, word := range op.req.texts() {
		if !e.unique(op, word) {
			isTold = false
		} else if sights := e.words[string(about)+word]; len(sights) > 0 {
			e.happened(op, sights)
			return
		}
	}
	// Names decide nothing: nobody who did not see them was told anything else because of them, unless
	// a version was expected.
	if isTold && !e.hasExpectations(at(about, op.req.Key)) {
		e.gone[op] = true
	}
}

func (e *evidence) hasExpectations(key string) bool {
	return slices.ContainsFunc(e.asked[key], func(op *operation) bool { return op.req.Expected != nil })
}

// --- Writes that succeed at most once

// groups looks at changes of a job to one status, and at deletes of one object: of all such requests
// at most one succeeds, if the key cannot come again.
func (e *evidence) groups(unknowns []*operation) {
	var order []string
	groups := map[string][]*operation{}
	for _, op := range unknowns {
		r := &op.req
		if r.Kind != "change-job-status" && r.Kind != "delete-printer" && r.Kind != "delete-filament" {
			continue
		}
		key := at(r.about(), r.Key)
		if r.about() != jobs && e.chosen[key] {
			continue
		}
		name := key + " " + r.To
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], op)
	}
	for _, name := range order {
		e.group(groups[name])
	}
	for _, op := range unknowns {
		if op.req.To == "Running" && op.isLazy && !e.gone[op] && e.leftNoTrace(op) {
			e.gone[op] = true
		}
	}
}

// group: `candidates` ask for the same, which can succeed once.
func (e *evidence) group(candidates []*operation) {
	r := &candidates[0].req
	key := at(r.about(), r.Key)
	for _, other := range e.asked[key] {
		if other.outcome == done && other.req.Kind == r.Kind && other.req.To == r.To {
			e.leaveOut(candidates, nil)
			return
		}
	}
	proofs := e.proofs(r)
	if len(proofs) == 0 {
		for _, op := range candidates {
			e.delay(op)
		}
		return
	}
	hasExpectation := slices.ContainsFunc(candidates, func(op *operation) bool { return op.req.Expected != nil })
	if len(candidates) > 1 && hasExpectation {
		return
	}
	// If it was a later one, it may as well have been the first: that could happen whenever a later could.
	first := slices.MinFunc(candidates, func(x, y *operation) int {
		if x.call < y.call {
			return -1
		}
		return 1
	})
	e.happened(first, proofs)
	for _, s := range proofs {
		if s.object != nil && s.status == r.To {
			first.version = s.object.version
		}
	}
	e.leaveOut(candidates, first)
}

func (e *evidence) leaveOut(all []*operation, but *operation) {
	for _, op := range all {
		if op != but {
			e.gone[op] = true
		}
	}
}

// before says what a job must have been, or can have been, before it has a status, itself included.
var before = map[string]struct{ must, can []string }{
	"Queued":   {nil, nil},
	"Running":  {[]string{"Running"}, []string{"Running"}},
	"Done":     {[]string{"Running", "Done"}, []string{"Running", "Done"}},
	"Canceled": {[]string{"Canceled"}, []string{"Running", "Canceled"}},
}

// proofs are the operations that saw that one of these requests had succeeded.
func (e *evidence) proofs(r *request) []sight {
	var all []sight
	key := at(r.about(), r.Key)
	if r.about() == jobs {
		for _, s := range e.sights[key] {
			if slices.Contains(before[s.status].must, r.To) {
				all = append(all, s)
			}
		}
		return all
	}
	made := e.settled[key]
	if made == nil {
		return nil
	}
	for _, op := range e.ops {
		if op.call > made.ret && e.misses(op, r.about(), r.Key) {
			all = append(all, sight{op: op})
		}
	}
	return all
}

// misses says whether an operation showed that there is no such object.
func (e *evidence) misses(op *operation, about collection, key string) bool {
	if op.req.about() != about {
		return false
	}
	if op.req.Kind == "list" {
		return op.outcome == done && !slices.ContainsFunc(op.objects, func(one *seen) bool { return one.id.key == key })
	}
	return op.code == "not_found" && op.req.Key == key
}

// delay: whoever saw the object as it was before looked before it happened.
func (e *evidence) delay(op *operation) {
	r := &op.req
	for _, s := range e.sights[at(r.about(), r.Key)] {
		if r.about() != jobs {
			op.notBefore(s.op)
			continue
		}
		if slices.Contains(before[s.status].can, r.To) {
			continue
		}
		if !isActive(s.status) {
			e.gone[op] = true // it never can be any more
			return
		}
		op.notBefore(s.op)
	}
}

// leftNoTrace: a job that nobody saw Running, and of which nobody was told anything that hangs on it.
func (e *evidence) leftNoTrace(op *operation) bool {
	key := at(jobs, op.req.Key)
	if e.hasExpectations(key) {
		return false
	}
	for _, other := range e.asked[key] {
		isVague := other.code == "transition_not_allowed" && (other.detail == nil || other.detail.From == nil)
		isEnd := other.req.To == "Done" && other.outcome == unknown && !e.gone[other]
		if isVague || isEnd {
			return false
		}
	}
	return !slices.ContainsFunc(e.sights[key], func(s sight) bool {
		return s.status == "Running" || s.status == "Done"
	})
}

// --- What versions say

// indexes: an entry of the log changes the farm for one request, and an object looks the same to
// everybody who sees it in one version.
func (e *evidence) indexes() {
	writes := map[int64]*operation{}
	looks := map[string]sight{}
	for _, op := range e.ops {
		if e.gone[op] {
			continue
		}
		if op.version > 0 {
			if other := writes[op.version]; other != nil {
				e.flaws = append(e.flaws, flaw{fmt.Sprintf("two writes have the index %d", op.version), []*operation{other, op}})
			}
			writes[op.version] = op
		}
		look := func(one *seen) {
			name := fmt.Sprintf("%s@%d", &one.object, one.version)
			known, ok := looks[name]
			if !ok {
				looks[name] = sight{op, one, ""}
			} else if known.object != one && !sameJSON(known.object.raw, one.raw) {
				text := fmt.Sprintf("%s is %s and %s", name, known.object.raw, one.raw)
				e.flaws = append(e.flaws, flaw{text, []*operation{known.op, op}})
			}
		}
		if op.object != nil {
			look(op.object)
		}
		for _, one := range op.objects {
			look(one)
		}
	}
}
