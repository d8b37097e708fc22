package main

import (
	"runtime"
	"testing"
)

func TestMemoryIsTakenAheadOfNeedInFewSteps(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		total, goal uint64
		short       bool
	}{
		{8 * mib, 4 * mib, true},
		{264 * mib, 4 * mib, true},
		{520 * mib, 4 * mib, false},
		{524 * mib, 392 * mib, false},
		{524 * mib, 394 * mib, true},
	} {
		if isShort(c.total, c.goal) != c.short {
			t.Errorf("%d MiB of %d are to be used: short is %v", c.goal/mib, c.total/mib, !c.short)
		}
	}
	// Up to a gigabyte that is two steps, where 4 MiB at a time were hundreds.
	steps := 0
	for total := uint64(0); total < 1024*mib; total += reserveStep {
		steps++
	}
	if steps > 2 {
		t.Errorf("it takes %d steps", steps)
	}
}

func TestMemoryIsTakenOnce(t *testing.T) {
	entries := make([][]byte, 0, 100_000)
	for range 100_000 {
		entries = append(entries, make([]byte, 256))
	}
	total := func() uint64 {
		reserveMemory()
		return heapSamples[0].Value.Uint64()
	}
	first := total()
	for range 10 {
		if now := total(); now > first+2*reserveStep {
			t.Fatalf("memory goes on growing: %d bytes, then %d", first, now)
		}
	}
	runtime.KeepAlive(entries)
}
