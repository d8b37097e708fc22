package main

import (
	"testing"
	"time"
)

var testLimits = limits{time: 20 * time.Second, steps: 3_000_000}

func judgeLines(t *testing.T, lines []fields) answer {
	t.Helper()
	h, err := read(lines)
	if err != nil {
		t.Fatal(err)
	}
	return h.judge(testLimits)
}

func TestCorrectHistoriesAreAccepted(t *testing.T) {
	for _, with := range []setting{
		{few: 3, clients: 4, operations: 200, delay: 10, finalReads: true},
		{few: 3, clients: 8, operations: 600, delay: 20, unknowns: 0.05, nones: 0.03, finalReads: true},
		{few: 3, clients: 16, operations: 1500, delay: 30, unknowns: 0.03, nones: 0.05, finalReads: true},
		{few: 3, clients: 8, operations: 400, delay: 20, unknowns: 0.04},
	} {
		start, steps, tried, worst := time.Now(), 0, 0, time.Duration(0)
		const seeds = 10
		for seed := range uint64(seeds) {
			began := time.Now()
			a := judgeLines(t, generate(seed, with))
			worst = max(worst, time.Since(began))
			if a.Verdict != legal {
				t.Errorf("%+v, seed %d: %+v", with, seed, a)
			}
			steps += a.Steps
			tried += a.Tried
		}
		took := time.Since(start)
		t.Logf("%+v: %.0f operations/s, %.1f steps and %.1f unknowns tried each, the slowest %v",
			with, float64(seeds*with.operations)/took.Seconds(), float64(steps)/seeds, float64(tried)/seeds, worst)
	}
}

// What a long history of many clients costs, some 80 answers lost: go test -bench . -run '^$'
func BenchmarkJudge(b *testing.B) {
	with := setting{few: 3, clients: 16, operations: 3000, delay: 30, unknowns: 0.03, nones: 0.05, finalReads: true}
	lines := generate(1, with)
	for b.Loop() {
		b.StopTimer()
		h, err := read(lines)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if a := h.judge(testLimits); a.Verdict != legal {
			b.Fatalf("%+v", a)
		}
	}
}
