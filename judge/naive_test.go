package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A search that leaves nothing out: every order of the operations, every unknown write done or not. It
// shares the rules of the farm with the judge, and nothing else of the search: no evidence, no order of
// indexes, no free steps. Small histories only.

type naive struct {
	s    *search
	ops  []*operation
	left int
}

func naiveVerdict(h *history) verdict {
	n := &naive{s: &search{names: names{}, taken: map[int64]bool{}}}
	for _, op := range h.ops {
		if op.outcome == none || op.req.isRead() && op.outcome == unknown {
			continue
		}
		op.index = len(n.ops)
		n.ops = append(n.ops, op)
		if op.version > 0 {
			n.s.taken[op.version] = true
		}
	}
	if n.extends(emptyFarm(), nil, 0, make([]bool, len(n.ops))) {
		return legal
	}
	return illegal
}

func (n *naive) extends(f farm, learned []bound, last int64, placed []bool) bool {
	isComplete := true
	deadline := forever
	for i, op := range n.ops {
		if !placed[i] && op.outcome != unknown {
			isComplete = false
			deadline = min(deadline, op.ret)
		}
	}
	if isComplete {
		return true
	}
	for i, op := range n.ops {
		if placed[i] || op.call > deadline {
			continue
		}
		v := &view{search: n.s, farm: &f, learned: learned}
		next, now := f, last
		if changesNothing(op) {
			if v.judge(op) != "" {
				continue
			}
		} else {
			if op.version > 0 && op.version <= last {
				continue
			}
			g, row, no := f.do(n.s.names, &op.req, op.mark(), v.expects(op))
			if no != nil || op.object != nil && v.sees(row, op.object) != "" {
				continue
			}
			next, now = g, max(last, op.version)
		}
		placed[i] = true
		found := n.extends(next, v.learned, now, placed)
		placed[i] = false
		if found {
			return true
		}
	}
	return false
}

// The judge finds an order if and only if there is one.
func TestNothingIsLeftOutOfTheSearch(t *testing.T) {
	verdicts := map[verdict]int{}
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 3))
		with := setting{
			clients: 2 + r.IntN(3), operations: 6 + r.IntN(6), delay: 4 + r.IntN(8),
			unknowns: r.Float64() * 0.4, nones: 0.05, finalReads: r.IntN(2) == 0,
		}
		lines := copyLines(generate(seed, with))
		if r.IntN(3) > 0 {
			for range 50 {
				at := r.IntN(len(lines))
				if lines[at]["return"] != nil && corruptAnyhow(r, lines[at]) {
					break
				}
			}
		}
		one, err := read(lines)
		if err != nil {
			t.Fatal(err)
		}
		two, _ := read(lines)
		got, want := one.judge(testLimits).Verdict, naiveVerdict(two)
		verdicts[want]++
		if got == want {
			continue
		}
		text := ""
		for _, op := range one.ops {
			text += string(op.raw) + "\n"
		}
		t.Fatalf("seed %d, %+v: the judge says %s, and it is %s:\n%s", seed, with, got, want, text)
	}
	t.Log(verdicts)
	if verdicts[legal] < 1000 || verdicts[illegal] < 1000 {
		t.Fatal("it compared too little")
	}
}

// corruptAnyhow changes something that may be harmless: both searches must come to the same verdict.
func corruptAnyhow(r *rand.Rand, line fields) bool {
	result := line["result"].(fields)
	rows := told(line)
	switch kind := r.IntN(5); {
	case kind == 0 && len(rows) > 0:
		row := rows[r.IntN(len(rows))].(fields)
		row["version"] = max(1, row["version"].(float64)+float64(r.IntN(5))-2)
		return true
	case kind == 1 && len(rows) > 0:
		row := rows[r.IntN(len(rows))].(fields)
		if row["status"] != nil {
			row["status"] = []string{"Queued", "Running", "Done", "Canceled"}[r.IntN(4)]
			return true
		}
		if row["reserved_weight_in_grams"] != nil {
			row["reserved_weight_in_grams"] = row["reserved_weight_in_grams"].(float64) + 1
			return true
		}
	case kind == 2 && result["objects"] != nil && len(rows) > 0:
		at := r.IntN(len(rows))
		result["objects"] = slices.Delete(rows, at, at+1)
		return true
	case kind == 3 && result["kind"] == "ok":
		line["return"], line["result"] = nil, fields{"kind": "unknown"}
		return true
	case kind == 4 && len(rows) == 1 && result["object"] != nil && line["op"].(fields)["kind"] == "get":
		line["result"] = fields{"kind": "rejected", "code": "not_found"}
		return true
	}
	return false
}
