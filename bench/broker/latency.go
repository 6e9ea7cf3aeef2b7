//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// latency compares what the broker adds to the time of a request with one fsync of a
// record on the disk that the ledger is on, at the pace of the requests: one sync right
// after another finds a disk and a processor that are awake. One client: nobody to share
// a sync with.
func (b *bench) latency(ctx context.Context) error {
	const requests, size = 200, 600 // a record has about so many bytes
	ours, ok := b.proxy(ctx, "the broker", b.startBroker)
	plain, ok2 := b.proxy(ctx, "plain", b.startPlain)
	if !ok || !ok2 {
		return nil
	}
	var with, bare, added, syncs []float64
	for i := range b.runs + 1 {
		a, err := ours.load(ctx, 1, requests)
		if err != nil {
			return err
		}
		p, err := plain.load(ctx, 1, requests)
		if err != nil {
			return err
		}
		raw, err := syncing(b.file("raw"), make([]byte, size), requests, p.p50)
		if err != nil {
			return err
		}
		if i > 0 {
			with, bare = append(with, micros(a.p50)), append(bare, micros(p.p50))
			added, syncs = append(added, micros(a.p50-p.p50)), append(syncs, micros(middle(raw)))
		}
	}
	fmt.Printf("p50 latency of 1 client\n  %-8s %s  µs\n  %-8s %s  µs\n", "broker", raw(with), "plain", raw(bare))
	compare("added p50 latency, ledger on, 1 client", "the p50 of writing a record and one fsync", added, syncs, "µs", "at most 1.5")
	fmt.Println()
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
