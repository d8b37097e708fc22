package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// A correct concurrent farm: clients that ask at random times, a moment between call and return at which
// the request takes effect, answers that get lost. What it says is right by construction, because one
// farm does one thing after the other; what order that was, the judge has to find.

type setting struct {
	clients, operations int
	unknowns, nones     float64
	// How long an answer takes at most, in moments; a think is as long as an answer.
	delay int
	// How many printers and spools there are before anything else is done with them.
	few int
	// At the end, each collection is listed.
	finalReads bool
}

type generator struct {
	setting
	random *rand.Rand
	names  names
	farm   farm
	index  int64
	now    int64
	events []event
	lines  []map[string]any
	count  int
	// Keys that were ever given out, for clients to ask about.
	keys map[collection][]string
}

type event struct {
	at  int64
	run func()
}

type fields = map[string]any

func generate(seed uint64, with setting) []fields {
	g := &generator{
		setting: with, random: rand.New(rand.NewPCG(seed, 7)), names: names{}, farm: emptyFarm(),
		keys: map[collection][]string{},
	}
	for client := range g.clients {
		g.after(func() { g.ask(client) })
	}
	for len(g.events) > 0 {
		next := 0
		for i := range g.events {
			if g.events[i].at < g.events[next].at {
				next = i
			}
		}
		e := g.events[next]
		g.events = slices.Delete(g.events, next, next+1)
		g.now = e.at
		e.run()
	}
	if g.finalReads {
		for _, about := range []collection{printers, filaments, jobs} {
			g.now += 10
			g.lines = append(g.lines, fields{
				"client": 0, "call": g.now, "return": g.now + 5,
				"op": fields{"kind": "list", "collection": about}, "result": g.result(fields{"kind": "list", "collection": about}),
			})
		}
	}
	return g.lines
}

func (g *generator) after(run func()) {
	g.events = append(g.events, event{g.now + 1 + g.random.Int64N(int64(g.delay)), run})
}

func (g *generator) ask(client int) {
	if g.count++; g.count > g.operations {
		return
	}
	op := g.draw()
	entry := fields{"client": client, "call": g.now, "return": nil, "op": op, "result": fields{"kind": "unknown"}}
	g.lines = append(g.lines, entry)
	chance := g.random.Float64()
	switch {
	case chance < g.nones:
		g.after(func() {
			entry["return"], entry["result"] = g.now, fields{"kind": "none"}
			g.after(func() { g.ask(client) })
		})
	case chance < g.nones+g.unknowns:
		// Lost on the way there, or the answer on the way back; and it may take its time.
		g.after(func() { g.ask(client) })
		if g.random.Float64() < 0.6 {
			late := g.now + g.random.Int64N(int64(g.delay)*8)
			g.events = append(g.events, event{late, func() { g.result(op) }})
		}
	default:
		g.after(func() {
			result := g.result(op)
			g.after(func() {
				entry["return"], entry["result"] = g.now, result
				g.after(func() { g.ask(client) })
			})
		})
	}
}

func pick[T any](g *generator, from ...T) T { return from[g.random.IntN(len(from))] }

func (g *generator) key(about collection) string {
	if known := g.keys[about]; len(known) > 0 && g.random.Float64() < 0.97 {
		// The newest most often.
		back := int(g.random.ExpFloat64() * 6)
		return known[max(0, len(known)-1-back)]
	}
	return strconv.Itoa(1 + g.random.IntN(9))
}

func ref(key string) any {
	if n, err := strconv.Atoi(key); err == nil {
		return n
	}
	return key
}

func (g *generator) draw() fields {
	marker := fmt.Sprintf("m%d", g.count)
	if g.random.Float64() < 0.3 {
		about := pick(g, printers, filaments, jobs)
		if g.random.Float64() < 0.6 {
			return fields{"kind": "get", "collection": about, "key": g.key(about)}
		}
		list := fields{"kind": "list", "collection": about}
		if about == jobs && g.random.Float64() < 0.3 {
			list["filament_id"] = ref(g.key(filaments))
		}
		if about == jobs && g.random.Float64() < 0.2 {
			list["status"] = []string{"Queued", "Running"}
		}
		return list
	}
	var expected any
	if g.random.Float64() < 0.1 && g.index > 3 {
		expected = []int64{g.index - g.random.Int64N(3)}
	}
	few := max(g.few, 1)
	isEarly := len(g.keys[printers]) < few || len(g.keys[filaments]) < few
	switch chance := g.random.Float64(); {
	case isEarly && chance < 0.5 || chance < 0.05:
		create := fields{"kind": "create-printer", "id": nil, "company": marker, "model": "MK4"}
		if g.random.Float64() < 0.1 {
			create["id"] = fmt.Sprintf("p%d", g.random.IntN(5))
		}
		return create
	case isEarly || chance < 0.12:
		total := 1 + g.random.IntN(2000)
		return fields{
			"kind": "create-filament", "id": nil, "type": "PLA", "color": marker,
			"total_weight_in_grams": total, "remaining_weight_in_grams": total,
		}
	case chance < 0.15:
		return fields{"kind": "update-printer", "key": g.key(printers), "expected": expected, "changes": fields{"company": marker}}
	case chance < 0.19:
		change := fields{"remaining_weight_in_grams": g.random.IntN(2000)}
		if g.random.Float64() < 0.5 {
			change["color"] = marker
		}
		return fields{"kind": "update-filament", "key": g.key(filaments), "expected": expected, "changes": change}
	case chance < 0.21:
		return fields{"kind": "delete-printer", "key": g.key(printers), "expected": expected}
	case chance < 0.22:
		return fields{"kind": "delete-filament", "key": g.key(filaments), "expected": expected}
	case chance < 0.6 || len(g.keys[jobs]) == 0:
		return fields{
			"kind": "create-job", "id": nil, "printer_id": ref(g.key(printers)), "filament_id": ref(g.key(filaments)),
			"filepath": marker, "print_weight_in_grams": 1 + g.random.IntN(200),
		}
	}
	return fields{
		"kind": "change-job-status", "key": g.key(jobs), "expected": expected,
		"to": pick(g, "Running", "Running", "Done", "Canceled"),
	}
}

// result lets a request take effect now.
func (g *generator) result(op fields) fields {
	var r request
	text, _ := json.Marshal(op)
	if err := strict(text, &r); err != nil {
		panic(err)
	}
	t := g.farm.table(r.about())
	switch r.Kind {
	case "get":
		if o := t.get(g.names, r.Key); o != nil {
			return fields{"kind": "ok", "object": o.show()}
		}
		return fields{"kind": "rejected", "code": "not_found"}
	case "list":
		rows := []fields{}
		for i := range t.rows.size {
			if o := t.rows.at(i); o != nil && r.matches(o) {
				rows = append(rows, o.show())
			}
		}
		return fields{"kind": "ok", "objects": rows}
	}
	g.index += 1 + g.random.Int64N(2)
	after, row, no := g.farm.do(g.names, &r, g.index, func(o *object) bool { return slices.Contains(*r.Expected, o.version) })
	if no != nil {
		return fields{"kind": "rejected", "code": no.code, "detail": no.show()}
	}
	g.farm = after
	if row == nil {
		return fields{"kind": "ok", "object": nil}
	}
	if r.isCreate() {
		g.keys[row.about] = append(g.keys[row.about], row.id.key)
	}
	return fields{"kind": "ok", "object": row.show()}
}

func (id ident) show() any {
	if id.isNumber {
		return json.Number(id.key)
	}
	return id.key
}

func (o *object) show() fields {
	row := fields{"id": o.id.show(), "version": o.version}
	switch o.about {
	case printers:
		row["company"], row["model"] = o.company, o.model
	case filaments:
		row["type"], row["color"], row["total_weight_in_grams"] = o.material, o.color, o.total
		row["remaining_weight_in_grams"], row["reserved_weight_in_grams"] = o.remaining, o.reserved
	case jobs:
		row["printer_id"], row["filament_id"], row["filepath"] = o.printer.show(), o.filament.show(), o.filepath
		row["print_weight_in_grams"], row["status"] = o.weight, o.status
	}
	return row
}

func (no *refusal) show() fields {
	switch no.code {
	case "transition_not_allowed":
		return fields{"from": no.from, "to": no.to}
	case "not_enough_filament":
		return fields{"remaining": no.remaining, "reserved": no.reserved, "asked": no.asked}
	case "weight_conflict":
		return fields{"remaining": no.remaining, "reserved": no.reserved, "total": no.total}
	case "version_mismatch":
		return fields{"version": no.object.version}
	case "in_use":
		return fields{"jobs": no.jobs}
	}
	return fields{}
}

// read makes a history of lines, as if they had come in.
func read(lines []fields) (*history, error) {
	h := newHistory("test")
	for _, one := range lines {
		text, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		if err := h.add(text); err != nil {
			return nil, err
		}
	}
	return h, nil
}
