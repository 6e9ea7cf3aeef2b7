//go:build linux

package main

import (
	"context"
	"fmt"
)

// rates compares requests a second, and what a request costs the proxy. All proxies
// take turns within one round.
func (b *bench) rates(ctx context.Context) error {
	ours, ok := b.proxy(ctx, "the broker", b.startBroker)
	sides := []struct {
		name, against string
		start         func(context.Context) (*proxy, error)
		share         int // one of so many requests
		goal          string
		rate, cpu     []float64
		proxy         *proxy
	}{
		{name: "plain", against: "a bare httputil.ReverseProxy", start: b.startPlain, share: 1, goal: "at least 0.7"},
		{name: "nginx", against: "nginx adding a header, access log on", start: b.startNginx, share: 1, goal: "at least 0.35"},
		{name: "mitmproxy", against: "mitmproxy adding a header (on loopback: it has no Unix sockets)", start: b.startMitmproxy, share: 10, goal: "at least 10"},
	}
	for i := range sides {
		if p, ok := b.proxy(ctx, sides[i].name, sides[i].start); ok {
			sides[i].proxy = p
		}
	}
	var rate, cpu []float64
	for i := range b.runs + 1 { // the first turn fills caches and connections
		if ok {
			s, err := ours.load(ctx, b.clients, b.requests)
			if err != nil {
				return err
			}
			if i > 0 {
				rate, cpu = append(rate, s.rate), append(cpu, s.cpu)
			}
		}
		for j := range sides {
			side := &sides[j]
			if side.proxy == nil {
				continue
			}
			s, err := side.proxy.load(ctx, b.clients, b.requests/side.share)
			if err != nil {
				return err
			}
			if i > 0 {
				side.rate, side.cpu = append(side.rate, s.rate), append(side.cpu, s.cpu)
			}
		}
	}
	for _, side := range sides {
		if side.proxy == nil {
			continue
		}
		what := fmt.Sprintf("requests/s over a Unix socket, %d clients: the broker, ledger on", b.clients)
		if !ok {
			fmt.Printf("%s: %s requests/s, %s µs of CPU each\n\n", side.against, raw(side.rate), raw(side.cpu))
			continue
		}
		compare(what, side.against, rate, side.rate, "/s", side.goal)
		fmt.Printf("  CPU of the proxy alone, a request\n  %-8s %s  µs\n  %-8s %s  µs\n  ratio of medians %.2f\n\n",
			"first", raw(cpu), "second", raw(side.cpu), median(cpu)/median(side.cpu))
	}
	return nil
}
