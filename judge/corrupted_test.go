package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// copyLines copies a history, so that one can be corrupted and the other kept.
func copyLines(lines []fields) []fields {
	text, err := json.Marshal(lines)
	if err != nil {
		panic(err)
	}
	var all []fields
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	return all
}

// A corruption changes one thing that a client was told, or says why it cannot be applied here.
type corruption struct {
	name  string
	apply func(r *rand.Rand, line fields, all []fields) bool
}

// told gives the objects in a result.
func told(line fields) []any {
	result := line["result"].(fields)
	if rows, ok := result["objects"].([]any); ok {
		return rows
	}
	if one, ok := result["object"].(fields); ok {
		return []any{one}
	}
	return nil
}

func changeField(name string, change func(any) any) corruption {
	return corruption{name, func(r *rand.Rand, line fields, all []fields) bool {
		rows := told(line)
		if len(rows) == 0 {
			return false
		}
		row := rows[r.IntN(len(rows))].(fields)
		if _, ok := row[name]; !ok {
			return false
		}
		row[name] = change(row[name])
		return true
	}}
}

func more(value any) any { return value.(float64) + 1 }
func less(value any) any { return value.(float64) - 1 }
func other(any) any      { return "nobody wrote this" }

// mustBeThere says whether a read cannot but find this object: it was made before, and nobody had asked
// for it to be deleted.
func mustBeThere(all []fields, read fields, row any) bool {
	id, isMade := row.(fields)["id"], false
	about := read["op"].(fields)["collection"]
	for _, line := range all {
		op := line["op"].(fields)
		created := told(line)
		switch kind := op["kind"].(string); {
		case strings.HasPrefix(kind, "create-") && len(created) == 1:
			isMade = isMade || collectionOf(kind) == about && created[0].(fields)["id"] == id &&
				line["return"].(float64) < read["call"].(float64)
		case strings.HasPrefix(kind, "delete-") && collectionOf(kind) == about && op["key"] == fmt.Sprint(id):
			if line["call"].(float64) <= read["return"].(float64) {
				return false
			}
		}
	}
	return isMade
}

func collectionOf(kind string) string {
	r := request{Kind: kind}
	return string(r.about())
}

func list(name string, change func(r *rand.Rand, rows []any) []any) corruption {
	return corruption{name, func(r *rand.Rand, line fields, all []fields) bool {
		result := line["result"].(fields)
		rows, ok := result["objects"].([]any)
		if !ok || len(rows) < 2 || line["op"].(fields)["status"] != nil || !mustBeThere(all, line, rows[0]) || !mustBeThere(all, line, rows[len(rows)-1]) {
			return false
		}
		result["objects"] = change(r, rows)
		return true
	}}
}

var corruptions = []corruption{
	changeField("company", other),
	changeField("model", other),
	changeField("type", other),
	changeField("color", other),
	changeField("filepath", other),
	changeField("total_weight_in_grams", more),
	changeField("remaining_weight_in_grams", more),
	changeField("remaining_weight_in_grams", less),
	changeField("reserved_weight_in_grams", more),
	changeField("reserved_weight_in_grams", less),
	changeField("print_weight_in_grams", more),
	changeField("printer_id", func(any) any { return 99 }),
	changeField("filament_id", func(any) any { return 99 }),
	changeField("id", func(any) any { return 99 }),
	changeField("status", func(status any) any {
		return map[string]string{"Queued": "Running", "Running": "Queued", "Done": "Canceled", "Canceled": "Done"}[status.(string)]
	}),
	list("a list lacks one", func(r *rand.Rand, rows []any) []any {
		return slices.Delete(rows, 0, 1)
	}),
	list("a list lacks the newest", func(r *rand.Rand, rows []any) []any { return rows[:len(rows)-1] }),
	list("a list has one twice", func(r *rand.Rand, rows []any) []any { return append(rows, rows[len(rows)-1]) }),
	list("a list in another order", func(r *rand.Rand, rows []any) []any {
		slices.Reverse(rows)
		return rows
	}),
	{"something is not found", func(r *rand.Rand, line fields, all []fields) bool {
		rows := told(line)
		if rows == nil || line["op"].(fields)["kind"] != "get" || !mustBeThere(all, line, rows[0]) {
			return false
		}
		line["result"] = fields{"kind": "rejected", "code": "not_found"}
		return true
	}},
	{"a write was refused", func(r *rand.Rand, line fields, all []fields) bool {
		if len(told(line)) == 0 || line["op"].(fields)["kind"] != "create-job" {
			return false
		}
		line["result"] = fields{"kind": "rejected", "code": "not_enough_filament"}
		return true
	}},
	{"another rule refused", func(r *rand.Rand, line fields, all []fields) bool {
		result := line["result"].(fields)
		if result["kind"] != "rejected" {
			return false
		}
		if result["code"] == "duplicate_id" {
			result["code"] = "in_use"
		} else {
			result["code"] = "duplicate_id"
		}
		return true
	}},
	{"a refusal gives another reason", func(r *rand.Rand, line fields, all []fields) bool {
		d, ok := line["result"].(fields)["detail"].(fields)
		if !ok || len(d) == 0 {
			return false
		}
		for _, name := range []string{"reserved", "jobs", "from", "version"} {
			switch value := d[name].(type) {
			case float64:
				d[name] = value + 1000
				return true
			case string:
				d[name] = "Printing"
				return true
			}
		}
		return false
	}},
	{"it was never proposed", func(r *rand.Rand, line fields, all []fields) bool {
		if len(told(line)) == 0 || line["op"].(fields)["kind"] != "create-job" {
			return false
		}
		line["result"] = fields{"kind": "none"}
		return true
	}},
}

// Each single corruption of what clients were told must be found. Not among them, because they may be
// harmless: an object that is missed by a read while it is created or deleted (the read was before or
// after); a job missed in a list by status while its status changes; a version that becomes another one that nobody saw used; times.
func TestASingleCorruptionIsRejected(t *testing.T) {
	for _, with := range []setting{
		{few: 3, clients: 5, operations: 120, delay: 10, finalReads: true},
		{few: 3, clients: 8, operations: 250, delay: 15, unknowns: 0.05, nones: 0.03, finalReads: true},
		{few: 3, clients: 8, operations: 250, delay: 15, unknowns: 0.03, finalReads: false},
	} {
		verdicts, worst := map[verdict]int{}, time.Duration(0)
		for seed := range uint64(4) {
			lines := copyLines(generate(seed, with))
			r := rand.New(rand.NewPCG(seed, 99))
			for _, c := range corruptions {
				bad := copyLines(lines)
				var at int
				isApplied := false
				for range 200 {
					if at = r.IntN(len(bad)); bad[at]["return"] != nil && c.apply(r, bad[at], bad) {
						isApplied = true
						break
					}
				}
				if !isApplied {
					verdicts["not applied"]++
					continue
				}
				began := time.Now()
				a := judgeLines(t, bad)
				worst = max(worst, time.Since(began))
				verdicts[a.Verdict]++
				if a.Verdict != illegal {
					t.Errorf("%s at line %d of seed %d, %+v: %s after %d steps, %d tried", c.name, at+1, seed, with, a.Verdict, a.Steps, a.Tried)
				}
			}
		}
		t.Logf("%+v: %v, the slowest %v", with, verdicts, worst)
	}
}
