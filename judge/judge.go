package main

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

type verdict string

const (
	legal     verdict = "ok"
	illegal   verdict = "illegal"
	undecided verdict = "undecided"
	malformed verdict = "malformed"
)

// answer is what the judge says of a history; src/sim/judge.ts has the same type.
type answer struct {
	History string  `json:"history"`
	Verdict verdict `json:"verdict"`
	// Why no order can be right, where that was seen without a search; what could not be read; or what
	// ran out before there was a verdict.
	Reason string `json:"reason,omitempty"`
	// How many operations there were; how many must be in the order; how many of these the longest
	// order has that was found; how many unknown outcomes had to be tried.
	Operations int `json:"operations"`
	Required   int `json:"required"`
	Placed     int `json:"placed"`
	Tried      int `json:"tried"`
	Steps      int `json:"steps"`
	// After the longest order, one of these would have to be next, and none can be.
	Unplaced []unplaced `json:"unplaced,omitempty"`
	Picture  string     `json:"picture,omitempty"`
}

type unplaced struct {
	Line      int    `json:"line"`
	Operation string `json:"operation"`
	Because   string `json:"because"`
}

type limits struct {
	time  time.Duration
	steps int
	// Where pictures of what is not ok go; empty: none is drawn.
	picture string
}

func (h *history) judge(l limits) answer {
	ops, flaws := h.settle()
	s := newSearch(ops, l.steps)
	a := answer{History: h.name, Operations: len(h.ops), Required: s.must, Tried: len(ops) - s.must}
	if len(flaws) > 0 {
		a.Verdict, a.Reason = illegal, flaws[0].text
		for _, op := range flaws[0].ops {
			a.Unplaced = append(a.Unplaced, unplaced{op.line, op.describe(), flaws[0].text})
		}
		return a
	}
	result := s.run(l.time)
	a.Steps = s.steps
	if s.best != nil {
		a.Placed = s.must - s.best.left
	}
	switch result {
	case porcupine.Ok:
		a.Verdict = legal
		return a
	case porcupine.Illegal:
		a.Verdict = illegal
	default:
		a.Verdict = undecided
		a.Reason = fmt.Sprintf("no verdict within %v and %d steps", l.time, l.steps)
	}
	a.Unplaced = s.unplaced()
	if l.picture != "" {
		a.Picture = s.draw(l)
	}
	return a
}

// draw writes porcupine's page: the operations on a line of time, and the longest orders.
func (s *search) draw(l limits) string {
	s.steps, s.isExhausted = 0, false
	_, info := porcupine.CheckOperationsVerbose(s.model(), s.operations(), l.time)
	if err := porcupine.VisualizePath(s.model(), info, l.picture); err != nil {
		return "not drawn: " + err.Error()
	}
	return l.picture
}

const describedMax = 300

func (op *operation) describe() string {
	text := string(op.raw)
	if len(text) > describedMax {
		text = text[:describedMax] + " …"
	}
	return text
}

func (t *state) describe() string {
	text := ""
	for _, table := range []*table{&t.farm.printers, &t.farm.filaments, &t.farm.jobs} {
		for i := range table.rows.size {
			if o := table.rows.at(i); o != nil {
				text += o.picture() + "\n"
			}
		}
	}
	return text
}

func (o *object) picture() string {
	switch o.about {
	case printers:
		return fmt.Sprintf("%s@%d %s %s", o, o.version, o.company, o.model)
	case filaments:
		return fmt.Sprintf("%s@%d %s: %d of %d g, %d reserved", o, o.version, o.color, o.remaining, o.total, o.reserved)
	default:
		return fmt.Sprintf("%s@%d %s: %d g of %s, %s", o, o.version, o.filepath, o.weight, o.filament, o.status)
	}
}
