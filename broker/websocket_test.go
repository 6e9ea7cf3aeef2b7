package broker

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// frame is a server's frame.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return append(b, payload...)
}

// webSocketUpstream sends its frames once it got a byte, and ends.
func webSocketUpstream(t *testing.T, frames ...[]byte) *upstreamServer {
	return newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		rw.Flush()
		if b, err := rw.ReadByte(); err != nil || b != '!' {
			return
		}
		for _, f := range frames {
			rw.Write(f)
		}
		rw.Flush()
	})
}

func TestWebSocket(t *testing.T) {
	half := len(realKey) / 2
	for name, tc := range map[string]struct {
		frames [][]byte
		want   string // the frames that arrive
		reason string // in the outcome
	}{
		"text":         {[][]byte{frame(0x81, "hello"), frame(0x82, "\x00\x01")}, "\x81\x05hello\x82\x02\x00\x01", ""},
		"credential":   {[][]byte{frame(0x81, "it is "+realKey+".")}, "\x81\x11it is [redacted].", ""},
		"fragments":    {[][]byte{frame(0x01, "a "+realKey[:half]), frame(0x89, "p"), frame(0x80, realKey[half:]+" b")}, "\x89\x01p\x81\x0ea [redacted] b", ""},
		"ping":         {[][]byte{frame(0x89, realKey)}, "\x89\x0a[redacted]", ""},
		"two messages": {[][]byte{frame(0x81, realKey[:half]), frame(0x81, realKey[half:])}, "\x81" + string(rune(half)) + realKey[:half], "two messages"},
		"two pings":    {[][]byte{frame(0x89, realKey[:half]), frame(0x81, "x"), frame(0x89, realKey[half:])}, "\x89" + string(rune(half)) + realKey[:half] + "\x81\x01x", "two messages"},
		"extension":    {[][]byte{frame(0xc1, "x")}, "", "extension"},
		"masked":       {[][]byte{{0x81, 0x81, 0, 0, 0, 0, 'x'}}, "", "masked"},
		"lone end":     {[][]byte{frame(0x80, "x")}, "", "out of place"},
		"interrupted":  {[][]byte{frame(0x01, "x"), frame(0x81, "y")}, "", "out of place"},
		"long ping":    {[][]byte{frame(0x89, strings.Repeat("x", 126))}, "", "out of place"},
		"huge":         {[][]byte{{0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0}}, "", "larger"},
		"cut":          {[][]byte{frame(0x81, "hello")[:4]}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			up := webSocketUpstream(t, tc.frames...)
			cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
			cr.Route.WebSocket = true
			tb := startBroker(t, policyOf(cr), nil)
			c := tb.dial(t)
			fmt.Fprint(c, "GET /ws/chat HTTP/1.1\r\nHost: b\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n!")
			r := bufio.NewReader(c)
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") != "x" || resp.Header.Get("Upgrade") != "websocket" {
				t.Fatalf("%v %v", resp, err)
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != tc.want {
				t.Errorf("%q %v, want %q", got, err, tc.want)
			}
			s := up.requests()[0]
			if s.header.Get("Authorization") != "Bearer "+realKey || s.header.Get("Sec-Websocket-Extensions") != "" {
				t.Errorf("the upstream saw %+v", s)
			}
			eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
			e := tb.ledger.of(ledger.Outcome)[0]
			if e.BytesIn != 1 || e.Status != 101 || !strings.Contains(e.Reason, tc.reason) || tc.reason == "" && e.Reason != "" {
				t.Errorf("recorded: %+v", e)
			}
		})
	}
}

// A WebSocket over which nothing comes is not kept for ever.
func TestQuietWebSocket(t *testing.T) {
	up := webSocketUpstream(t)
	cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
	cr.Route.WebSocket = true
	tb := startBroker(t, policyOf(cr), func(o *Options) {
		o.Times = front.DefaultTimes
		o.Times.Idle = 300 * time.Millisecond
	})
	c := tb.dial(t)
	fmt.Fprint(c, "GET /ws/chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("it does not end: %v", err)
	}
	eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
	if e := tb.ledger.of(ledger.Outcome)[0]; e.Reason != errQuiet.Error() {
		t.Errorf("recorded: %+v", e)
	}
}

// TestLongValueAcrossMessages has a value as long as access tokens are, and a form of it
// that is longer still.
func TestLongValueAcrossMessages(t *testing.T) {
	long := ""
	for i := range 60 {
		long += fmt.Sprint(i, realKey)
	}
	for name, form := range map[string]string{"raw": long, "hex": hex.EncodeToString([]byte(long)), "base64": base64.StdEncoding.EncodeToString([]byte(long))} {
		half := len(form) / 2
		up := webSocketUpstream(t, frame(0x81, form[:half]), frame(0x81, form[half:]))
		cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
		cr.Route.WebSocket = true
		tb := startBroker(t, policyOf(cr), func(o *Options) { o.Open = newFixed(long).opener() })
		c := tb.dial(t)
		fmt.Fprint(c, "GET /ws/chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n!")
		r := bufio.NewReader(c)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
			t.Fatalf("%v %v", resp, err)
		}
		if got, err := io.ReadAll(r); err != nil || strings.Contains(string(got), form[half:]) {
			t.Errorf("%s: both halves arrive, %v", name, err)
		}
	}
}
