package broker

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers every question for an IPv4 address with one that can be changed.
func nameServer(t *testing.T, address *atomic.Value) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(buf[:n]); err != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: address.Load().(netip.Addr).As4()},
				}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// The name of an upstream leads to a permitted address first, and then to another one.
func TestRebinding(t *testing.T) {
	var address atomic.Value
	address.Store(netip.MustParseAddr("127.0.0.1"))
	before := net.DefaultResolver
	net.DefaultResolver = nameServer(t, &address)
	t.Cleanup(func() { net.DefaultResolver = before })

	up := newUpstream(t, nil)
	u, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	cr := up.credential("x", apiKey, allow("GET", "/**"))
	cr.Route.Upstream = "https://example.com:" + u.Port() // which the test's certificate is for
	cr.Route.Networks = []string{"127.0.0.1/32"}
	tb := startBroker(t, policyOf(cr), nil)
	ask := func(want int) string {
		t.Helper()
		resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
		if resp.StatusCode != want {
			t.Errorf("at %v: %d %s, want %d", address.Load(), resp.StatusCode, body, want)
		}
		tb.world.Load().of("x").transport.CloseIdleConnections() // the next one looks the name up again
		return body
	}
	ask(200)
	for _, forbidden := range []string{"127.0.0.2", "169.254.169.254", "10.0.0.1"} {
		address.Store(netip.MustParseAddr(forbidden))
		if body := ask(502); !strings.Contains(body, `"rule":"address"`) || !strings.Contains(body, forbidden) {
			t.Errorf("%s: %s", forbidden, body)
		}
	}
	address.Store(netip.MustParseAddr("127.0.0.1"))
	ask(200)
	if n := len(up.requests()); n != 2 {
		t.Errorf("%d requests arrived", n)
	}
}
