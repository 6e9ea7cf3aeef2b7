//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// streams compares one long answer through the broker with the same through the same
// broker built without its redactor.
func (b *bench) streams(ctx context.Context) error {
	ours, ok := b.proxy(ctx, "the broker", b.startBroker)
	theirs, ok2 := b.proxy(ctx, "the broker without its redactor", b.startUnredacted)
	if !ok || !ok2 {
		return nil
	}
	var with, without, cpuWith, cpuWithout []float64
	for i := range max(b.runs/2, 1) + 1 {
		size := b.stream
		if i == 0 {
			size /= 8 // to warm up
		}
		a, acpu, err := ours.stream(ctx, size)
		if err != nil {
			return err
		}
		t, tcpu, err := theirs.stream(ctx, size)
		if err != nil {
			return err
		}
		if i > 0 {
			with, without = append(with, a), append(without, t)
			cpuWith, cpuWithout = append(cpuWith, acpu), append(cpuWithout, tcpu)
		}
	}
	compare(fmt.Sprintf("streaming of a body of %d MiB, redaction on", b.stream>>20), "the same broker built without its redactor",
		with, without, "MB/s", "at least 0.6")
	fmt.Printf("  CPU of the broker alone, a GB\n  %-8s %s  s\n  %-8s %s  s\n\n", "first", raw(cpuWith), "second", raw(cpuWithout))
	return nil
}

// stream reads one long answer. It gives MB/s, and the proxy's CPU seconds a GB.
func (p *proxy) stream(ctx context.Context, size int64) (rate, cpu float64, err error) {
	client := http.Client{Timeout: limit, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, p.network, p.address)
		},
		DisableCompression: true, DisableKeepAlives: true, ReadBufferSize: 64 << 10,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://localhost%s/stream/%d", p.prefix, size), nil)
	if err != nil {
		return 0, 0, err
	}
	before, begin := p.process.cpu(), time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	// An io.Writer alone: a buffer as large as the one on the way.
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 64<<10))
	err = errors.Join(err, resp.Body.Close())
	if err == nil && (n != size || resp.StatusCode != http.StatusOK) {
		err = fmt.Errorf("%s: %d bytes of %d, %s", p.name, n, size, resp.Status)
	}
	gb := float64(size) / 1e9
	return 1000 * gb / time.Since(begin).Seconds(), (p.process.cpu() - before).Seconds() / gb, err
}
