package main

import "testing"

func TestTheCollectorsGetTheProcessorWhereTheLimiterHasStoppedTheirCollection(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		limited, ended, objects, goal uint64
		heldUp                        bool
	}{
		{8, 7, 17 * mib, 8 * mib, true},
		{8, 7, 15 * mib, 8 * mib, false}, // not far behind
		{7, 7, 17 * mib, 8 * mib, false}, // that collection has ended
		{0, 0, 17 * mib, 8 * mib, false}, // the limiter was never on
	} {
		if got := isHeldUp(c.limited, c.ended, c.objects, c.goal); got != c.heldUp {
			t.Errorf("limited in %d, %d ended, %d MiB of %d: %v", c.limited, c.ended, c.objects/mib, c.goal/mib, got)
		}
	}
	letCollect()
	if heapSamples[2].Value.Uint64() == 0 || heapSamples[3].Value.Uint64() == 0 {
		t.Error("the runtime does not say how large the heap is")
	}
}
