package broker

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/tightship-dev/tightship/ledger"
)

// refusing is an upstream of HTTP/2 that answers every request with what means "not
// done, send it again", and counts them.
func refusing(t *testing.T, answer func(f *http2.Framer, stream uint32) error) (up *upstreamServer, uses *atomic.Int64) {
	lender := httptest.NewTLSServer(nil)
	conf := lender.TLS.Clone()
	lender.Close()
	conf.NextProtos = []string{"h2"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	uses = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go refuseAll(c, uses, answer)
		}
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw})
	if err := os.WriteFile(ca, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return &upstreamServer{Server: &httptest.Server{URL: "https://" + l.Addr().String()}, ca: ca}, uses
}

func refuseAll(c net.Conn, uses *atomic.Int64, answer func(*http2.Framer, uint32) error) {
	defer c.Close()
	_, err := io.CopyN(io.Discard, c, int64(len(http2.ClientPreface)))
	f := http2.NewFramer(c, c)
	if err == nil {
		err = f.WriteSettings()
	}
	const most = 3 // or net/http goes on for minutes
	for err == nil && uses.Load() < most {
		var got http2.Frame
		if got, err = f.ReadFrame(); err != nil {
			return
		}
		switch got := got.(type) {
		case *http2.SettingsFrame:
			if !got.IsAck() {
				err = f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			uses.Add(1)
			err = answer(f, got.StreamID)
		}
	}
}

// TestHTTP2RepeatsNothing is TestNetHTTPRepeatsNothing for HTTP/2, where a server has
// two ways to ask for a request once more, and the credential has left each time.
func TestHTTP2RepeatsNothing(t *testing.T) {
	for way, answer := range map[string]func(*http2.Framer, uint32) error{
		"stream refused": func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeRefusedStream) },
		"going away":     func(f *http2.Framer, _ uint32) error { return f.WriteGoAway(0, http2.ErrCodeNo, nil) },
	} {
		for body, rest := range map[string]string{
			"none": "\r\n", "empty": "Content-Length: 0\r\n\r\n", "empty chunks": "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "short": "Content-Length: 1\r\n\r\nx",
		} {
			up, uses := refusing(t, answer)
			tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
			c := tb.dial(t)
			fmt.Fprint(c, "GET /x/a HTTP/1.1\r\nHost: b\r\n"+rest)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%s, %s: %v %v", way, body, resp, err)
			}
			c.Close()
			tb.quiesce(t)
			if n := len(tb.ledger.of(ledger.Intent)); n < 1 || int64(n) != uses.Load() {
				t.Errorf("%s, %s: %d uses of the credential, and %d records", way, body, uses.Load(), n)
			}
		}
	}
}
