//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// asked is the body of every request, and answered that of every answer.
const (
	asked    = `{"model":"bench","max_tokens":64,"messages":[{"role":"user","content":"say something small"}]}`
	answered = `{"id":"msg_01","type":"message","role":"assistant","model":"bench","content":[{"type":"text","text":"something small"}],"stop_reason":"end_turn","usage":{"input_tokens":11,"output_tokens":4}}` + "\n"
	path     = "/v1/messages"
)

// sample is what one turn showed.
type sample struct {
	rate float64       // requests a second
	cpu  float64       // of the proxy, in microseconds a request
	p50  time.Duration // of all requests
}

// patience is how long a client waits for any one thing.
const patience = time.Minute

// load sends so many requests on so many connections, each of which sends the next
// one when it has the answer. Connections are made before the clock starts. A single
// answer that is not the upstream's makes it fail.
func (p *proxy) load(ctx context.Context, clients, requests int) (sample, error) {
	conns := make([]net.Conn, clients)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range conns {
		c, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, p.network, p.address)
		if err != nil {
			return sample{}, err
		}
		conns[i] = c
	}
	defer context.AfterFunc(ctx, func() {
		for _, c := range conns {
			c.Close()
		}
	})()
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", p.prefix+path, len(asked), asked)
	var left atomic.Int64
	left.Store(int64(requests))
	took := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var all sync.WaitGroup
	cpu, begin := p.process.cpu(), time.Now()
	for i, c := range conns {
		all.Go(func() {
			in := bufio.NewReader(c)
			for left.Add(-1) >= 0 {
				start := time.Now()
				if errs[i] = once(c, in, request); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	all.Wait()
	elapsed := time.Since(begin)
	if err := ctx.Err(); err != nil {
		return sample{}, err
	}
	for _, err := range errs { // the first one says it
		if err != nil {
			return sample{}, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return sample{
		rate: float64(requests) / elapsed.Seconds(),
		cpu:  micros(p.process.cpu()-cpu) / float64(requests),
		p50:  middle(slices.Concat(took...)),
	}, nil
}

func middle(d []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(d))[len(d)/2]
}

// once sends one request and reads its answer.
func once(c net.Conn, in *bufio.Reader, request []byte) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write(request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Equal(body, []byte(answered)) {
		return fmt.Errorf("it answers %s: %.300s", resp.Status, body)
	}
	return nil
}
