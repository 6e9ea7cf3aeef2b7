package redact

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// endless gives the same block again and again.
type endless struct {
	block []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}

// plain is a wrapper that looks at nothing.
type plain struct{ io.Reader }

// sink is an io.Writer alone: io.Copy must not find a shorter way.
type sink struct{ io.Writer }

// blocks are the kinds of bodies: what is dear for us is not what is dear for others.
func blocks() map[string][]byte {
	rnd := rand.NewChaCha8([32]byte{1})
	binary := make([]byte, 1<<20)
	rnd.Read(binary)
	event := []byte(`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"for i := range n {\n\tfmt.Println(\"line\", i)\n}\n"}}` + "\n\n")
	return map[string][]byte{
		"text":    bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, and nobody minds. "), 1<<14),
		"binary":  binary,
		"json":    bytes.Repeat(event, 1<<12),
		"percent": bytes.Repeat([]byte("%41%c3%A9%20"), 1<<16),
	}
}

func keys(n int) [][]byte {
	rnd := rand.NewChaCha8([32]byte{2})
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	var all [][]byte
	for range n {
		key := []byte("sk-ant-api03-")
		for len(key) < 108 {
			key = append(key, alphabet[rnd.Uint64()%64])
		}
		all = append(all, key)
	}
	return all
}

// BenchmarkReader copies a body with and without five values of 108 bytes, and
// with fifty.
func BenchmarkReader(b *testing.B) {
	const size = 16 << 20
	for name, block := range blocks() {
		copying := func(wrap func(io.Reader) io.Reader) func(*testing.B) {
			return func(b *testing.B) {
				buffer := make([]byte, 32<<10)
				b.SetBytes(size)
				for b.Loop() {
					io.CopyBuffer(sink{io.Discard}, plain{wrap(io.LimitReader(&endless{block: block}, size))}, buffer)
				}
			}
		}
		b.Run(name+"/none", copying(func(r io.Reader) io.Reader { return plain{r} }))
		for _, n := range []int{5, 50} {
			set, err := Compile(keys(n)...)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+map[int]string{5: "/5", 50: "/50"}[n], copying(func(r io.Reader) io.Reader { return set.Reader(r, nil) }))
		}
	}
}

// BenchmarkProxy is a reverse proxy over loopback, with and without.
func BenchmarkProxy(b *testing.B) {
	const size = 64 << 20
	set := mustCompile(keys(5)...)
	for name, block := range blocks() {
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.Copy(sink{w}, io.LimitReader(&endless{block: block}, size))
		}))
		b.Cleanup(upstream.Close)
		target, err := url.Parse(upstream.URL)
		if err != nil {
			b.Fatal(err)
		}
		through := func(wrap func(io.Reader) io.Reader) func(*testing.B) {
			return func(b *testing.B) {
				proxy := httputil.NewSingleHostReverseProxy(target)
				proxy.ModifyResponse = func(r *http.Response) error {
					r.Body = struct {
						io.Reader
						io.Closer
					}{wrap(r.Body), r.Body}
					return nil
				}
				server := httptest.NewServer(proxy)
				defer server.Close()
				b.SetBytes(size)
				for b.Loop() {
					response, err := http.Get(server.URL)
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, response.Body); n != size || err != nil {
						b.Fatal(n, err)
					}
					response.Body.Close()
				}
			}
		}
		b.Run(name+"/none", through(func(r io.Reader) io.Reader { return plain{r} }))
		b.Run(name+"/5", through(func(r io.Reader) io.Reader { return set.Reader(r, nil) }))
	}
}
