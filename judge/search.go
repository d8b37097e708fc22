package main

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// The search for an order. Porcupine searches; the model below tells it which steps are right, and,
// so that thousands of operations are searched in reasonable time, which steps need not be tried:
//
//  1. Writes whose log index is known are done in the order of their indexes. The index is the version
//     of the object in the answer, it grows from entry to entry, and the order of the log is the order
//     in which the farm changes (HTTP contract: `version`). So at any time one such write is next.
//  2. An operation that is right now and changes nothing is done now. If an order exists in which it is
//     done later, it can be taken out there and put here: nothing else sees a difference.
//  3. A write of unknown outcome is only done where it changes something. Refused, or never done, it
//     has no effect, and is put at the end, where it is always right.
//
// 2 and 3 leave out orders only if an equivalent one is tried. For these the model must know what has
// been placed, so the state holds it; porcupine tells states apart by what has been placed anyway.
//
// There are no partitions: lists and references go across objects, ids across a collection, and the
// indexes across all. With 1 the search does not need any.

// state is a farm, with what has been placed to get there.
type state struct {
	farm    farm
	learned []bound
	placed  []uint64
	// The first operation by call that is not placed, of those that must be.
	first int
	// How many of those are left.
	left int
	// How many lazy ones are placed.
	lazy int
	// The next write of known index: a place in search.writes.
	write int
	// Which operation is right here and changes nothing; computed once.
	free     int
	freeDone bool
}

const nothing = -1

type search struct {
	names names
	// Those that must be placed by call, then the lazy ones.
	ops    []*operation
	must   int
	writes []*operation
	// Versions of the writes whose index is known.
	taken map[int64]bool

	steps, stepsMax int
	// How many lazy writes may be done before all others are.
	lazyMax     int
	isExhausted bool
	best        *state
	explains    bool
}

func newSearch(ops []*operation, stepsMax int) *search {
	s := &search{names: names{}, ops: ops, taken: map[int64]bool{}, stepsMax: stepsMax}
	slices.SortStableFunc(s.ops, func(x, y *operation) int {
		switch {
		case x.isLazy != y.isLazy:
			if x.isLazy {
				return 1
			}
			return -1
		case x.call != y.call:
			if x.call < y.call {
				return -1
			}
			return 1
		}
		return 0
	})
	for i, op := range s.ops {
		op.index = i
		if !op.isLazy {
			s.must = i + 1
		}
		if op.version > 0 {
			s.writes = append(s.writes, op)
			s.taken[op.version] = true
		}
	}
	slices.SortFunc(s.writes, func(x, y *operation) int { return int(x.version - y.version) })
	return s
}

func (s *search) init() *state {
	start := &state{farm: emptyFarm(), placed: make([]uint64, (len(s.ops)+63)/64), left: s.must}
	if s.best == nil {
		s.best = start
	}
	return start
}

func (t *state) has(i int) bool { return t.placed[i/64]&(1<<(i%64)) != 0 }

// place gives the state after an operation.
func (s *search) place(t *state, op *operation) *state {
	u := &state{
		farm: t.farm, learned: t.learned, placed: slices.Clone(t.placed),
		first: t.first, left: t.left, write: t.write, lazy: t.lazy,
	}
	u.placed[op.index/64] |= 1 << (op.index % 64)
	if op.isLazy {
		u.lazy++
		return u
	}
	u.left--
	for u.first < s.must && u.has(u.first) {
		u.first++
	}
	if op.version > 0 {
		u.write++
	}
	return u
}

// frontier visits what may be next: what was called before any other that is left had returned.
func (s *search) frontier(t *state, visit func(*operation) bool) {
	deadline := forever
	for i := t.first; i < s.must; i++ {
		if t.has(i) {
			continue
		}
		op := s.ops[i]
		if op.call > deadline || !visit(op) {
			return
		}
		deadline = min(deadline, op.ret)
	}
}

func changesNothing(op *operation) bool { return op.req.isRead() || op.outcome == rejected }

// freeStep finds the first operation that is right here and changes nothing (2).
func (s *search) freeStep(t *state) int {
	if t.freeDone {
		return t.free
	}
	t.free, t.freeDone = nothing, true
	s.frontier(t, func(op *operation) bool {
		if changesNothing(op) {
			v := &view{search: s, farm: &t.farm, learned: t.learned}
			// If it teaches a version, it does change something: it may be wrong to do it here.
			if v.judge(op) == "" && len(v.learned) == len(t.learned) {
				t.free = op.index
			}
		}
		return t.free == nothing
	})
	return t.free
}

func (v *view) judge(op *operation) string {
	if op.req.isRead() {
		return v.reads(op)
	}
	return v.refuses(op)
}

// mark stands for the version of a write whose index is not known.
func (op *operation) mark() int64 {
	if op.version > 0 {
		return op.version
	}
	return -int64(op.index) - 1
}

// step does an operation, or says why it cannot be next.
func (s *search) step(t *state, op *operation) (*state, string) {
	if op.isLazy && t.left == 0 {
		return s.place(t, op), "" // never done, as far as anybody can tell (3)
	}
	if op.isLazy && t.lazy >= s.lazyMax {
		return nil, wrong
	}
	if free := s.freeStep(t); free == op.index {
		return s.place(t, op), ""
	} else if free != nothing && !s.explains {
		return nil, wrong
	}
	for _, other := range op.after {
		if !t.has(other.index) {
			return nil, s.because("line %d saw that it had not happened", other.line)
		}
	}
	if op.version > 0 && s.writes[t.write] != op {
		return nil, s.because("line %d, whose index is %d, comes first", s.writes[t.write].line, s.writes[t.write].version)
	}
	v := &view{search: s, farm: &t.farm, learned: t.learned}
	if changesNothing(op) {
		if no := v.judge(op); no != "" {
			return nil, no
		}
		u := s.place(t, op)
		u.learned = v.learned
		return u, ""
	}
	g, row, no := t.farm.do(s.names, &op.req, op.mark(), v.expects(op))
	if no != nil {
		return nil, s.because("it is refused as %s", no.code)
	}
	if op.assigned != nil && row.id != *op.assigned {
		return nil, s.because("it gets the id %s, not %s", row.id, *op.assigned)
	}
	if row != nil {
		if no := v.grows(row); no != "" {
			return nil, no
		}
	}
	if op.object != nil {
		if no := v.sees(row, op.object); no != "" {
			return nil, no
		}
	}
	u := s.place(t, op)
	u.farm, u.learned = g, v.learned
	return u, ""
}

func (s *search) tryStep(t *state, op *operation) (bool, *state) {
	if s.steps++; s.steps > s.stepsMax {
		s.isExhausted = true
		return false, nil
	}
	u, no := s.step(t, op)
	if no != "" {
		return false, nil
	}
	if u.left < s.best.left {
		s.best = u
	}
	return true, u
}

func (s *search) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return s.init() },
		Step: func(at, input, _ any) (bool, any) {
			ok, next := s.tryStep(at.(*state), input.(*operation))
			return ok, next
		},
		// What has been placed is compared by porcupine itself.
		Equal: func(x, y any) bool {
			t, u := x.(*state), y.(*state)
			return slices.Equal(t.learned, u.learned) && t.farm.equal(&u.farm)
		},
		DescribeOperation: func(input, _ any) string { return input.(*operation).describe() },
		DescribeState:     func(at any) string { return at.(*state).describe() },
	}
}

func (s *search) operations() []porcupine.Operation {
	end := int64(0)
	for _, op := range s.ops {
		end = max(end, op.call)
		if op.ret != forever {
			end = max(end, op.ret)
		}
	}
	all := make([]porcupine.Operation, len(s.ops))
	for i, op := range s.ops {
		all[i] = porcupine.Operation{ClientId: op.client, Input: op, Call: op.call, Return: min(op.ret, end+1)}
	}
	return all
}

// run searches with no lazy write done before the end, then with few, then with any number: a right
// history seldom needs many, and an order that is found is one, whatever was not tried.
func (s *search) run(limit time.Duration) porcupine.CheckResult {
	if len(s.ops) == 0 {
		return porcupine.Ok
	}
	start := time.Now()
	for _, s.lazyMax = range []int{0, 1, 3, len(s.ops)} {
		left := max(limit-time.Since(start), 1)
		result := porcupine.CheckOperationsTimeout(s.model(), s.operations(), left)
		lazy := len(s.ops) - s.must
		switch {
		case result != porcupine.Illegal:
			return result
		case s.isExhausted:
			return porcupine.Unknown
		case s.lazyMax >= lazy:
			return porcupine.Illegal // all of them could be tried
		}
	}
	return porcupine.Illegal
}

// unplaced says which operations could be next in the longest order that was found, and why none is.
func (s *search) unplaced() []unplaced {
	s.explains = true
	defer func() { s.explains = false }()
	var all []unplaced
	s.frontier(s.best, func(op *operation) bool {
		if _, no := s.step(s.best, op); no != "" {
			all = append(all, unplaced{Line: op.line, Operation: op.describe(), Because: no})
		}
		return true
	})
	return all
}
