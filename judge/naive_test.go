package main

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// A search that leaves nothing out: every order of the operations, every unknown write done or not. It
// shares the rules of the farm with the judge, and nothing else of the search: no evidence, no order of
// indexes, no free steps. Small histories only.

type naive struct {
	s   *search
	ops []*operation
	// Whether the writes whose index is only learned later must be in the order of the log, too. The
	// judge holds them to that if the evidence tells the index, and not where the search learns it.
	isStrict bool
	order    []int64
}

func naiveVerdict(h *history, isStrict bool) verdict {
	n := &naive{isStrict: isStrict, s: &search{names: names{}, taken: map[int64]bool{}}}
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
		return !n.isStrict || n.isInOrder(learned)
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
			if no != nil || row != nil && v.grows(row) != "" || op.object != nil && v.sees(row, op.object) != "" {
				continue
			}
			next, now = g, max(last, op.version)
		}
		placed[i] = true
		n.order = append(n.order, op.mark())
		found := n.extends(next, v.learned, now, placed)
		n.order = n.order[:len(n.order)-1]
		placed[i] = false
		if found {
			return true
		}
	}
	return false
}

func (n *naive) isInOrder(learned []bound) bool {
	v := &view{search: n.s, learned: learned}
	last := int64(0)
	for _, mark := range n.order {
		if version := v.resolve(mark); version != 0 {
			if version <= last {
				return false
			}
			last = version
		}
	}
	return true
}

// naiveSeeds: some, or as many as JUDGE_SEEDS says.
func naiveSeeds() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("JUDGE_SEEDS"), 10, 32); err == nil {
		return n
	}
	return 3000
}

// The judge finds an order whenever there is one, and none that the farm's rules do not allow.
func TestNothingIsLeftOutOfTheSearch(t *testing.T) {
	verdicts := map[verdict]int{}
	for seed := range naiveSeeds() {
		r := rand.New(rand.NewPCG(seed, 3))
		with := setting{
			clients: 2 + r.IntN(3), operations: 5 + r.IntN(6), delay: 4 + r.IntN(8),
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
		again := func() *history {
			h, _ := read(lines)
			return h
		}
		got := one.judge(testLimits).Verdict
		verdicts[got]++
		want := naiveVerdict(again(), true)
		if got == want {
			continue
		}
		if got == legal && naiveVerdict(again(), false) == legal {
			verdicts["legal but for the order of learned indexes"]++
			continue
		}
		text := ""
		for _, op := range one.ops {
			text += string(op.raw) + "\n"
		}
		t.Fatalf("seed %d, %+v: the judge says %s, and it is %s:\n%s", seed, with, got, want, text)
	}
	t.Log(verdicts)
	if verdicts[legal] < 300 || verdicts[illegal] < 300 {
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
