package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"

	"github.com/tightship-dev/tightship/engine"
)

func frame(stream byte, payload string) string {
	h := []byte{stream, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(h[4:], uint32(len(payload)))
	return string(h) + payload
}

func TestDemultiplex(t *testing.T) {
	tests := []struct {
		name, in, out, err string
		problem            string // in the error, "" for none
		bad                bool   // the error is ErrBadAnswer
	}{
		{"both streams", frame(1, "one") + frame(2, "two") + frame(1, "") + frame(0, "three"), "onethree", "two", "", false},
		{"nothing", "", "", "", "", false},
		{"ends in a header", frame(1, "a") + "\x01\x00", "a", "", "no frame", true},
		{"ends in a payload", frame(1, "a") + frame(1, "longer")[:10], "alo", "", "4 bytes before", true},
		{"unknown stream", frame(1, "a") + frame(4, "b"), "a", "", "no frame", true},
		{"padding is not zero", "\x01\x00\x01\x00\x00\x00\x00\x01x", "", "", "no frame", true},
		{"an HTML page", "<html><body>Bad gateway</body></html>", "", "", "Bad gateway", true},
		{"the engine's own error", frame(1, "a") + frame(3, "broken\npipe"), "a", "", "engine says: broken pipe", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := demultiplex(bufio.NewReader(strings.NewReader(tt.in)), &stdout, &stderr)
			if stdout.String() != tt.out || stderr.String() != tt.err {
				t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
			}
			switch {
			case tt.problem == "" && err != nil, tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
				t.Errorf("error %v, want %q", err, tt.problem)
			case errors.Is(err, engine.ErrBadAnswer) != tt.bad:
				t.Errorf("error %v: bad answer is %v", err, !tt.bad)
			}
		})
	}
}

// endless is a frame that claims 4 GiB and delivers for as long as it is read.
type endless struct {
	header io.Reader
	read   int64
}

func (e *endless) Read(p []byte) (int, error) {
	if n, err := e.header.Read(p); err == nil {
		return n, nil
	}
	if e.read > 64<<20 {
		return 0, io.EOF
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestDemultiplexHugeFrame(t *testing.T) {
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			r := bufio.NewReader(&endless{header: strings.NewReader("\x01\x00\x00\x00\xff\xff\xff\xff")})
			if err := demultiplex(r, io.Discard, io.Discard); !errors.Is(err, engine.ErrBadAnswer) {
				b.Fatalf("error %v", err)
			}
		}
	})
	if result.N == 0 || result.AllocedBytesPerOp() > 1<<20 {
		t.Errorf("%d bytes were allocated for one frame", result.AllocedBytesPerOp())
	}
}

func FuzzDemultiplex(f *testing.F) {
	f.Add([]byte(frame(1, "one") + frame(2, "two")))
	f.Add([]byte(frame(3, "error")))
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xffx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var stdout, stderr, wantOut, wantErr bytes.Buffer
		err := demultiplex(bufio.NewReader(bytes.NewReader(data)), &stdout, &stderr)
		if stdout.Len()+stderr.Len() > len(data) {
			t.Fatal("more came out than went in")
		}
		// Docker's own reader is laxer; where ours accepts, they must agree. It
		// allocates what a frame claims, so frames must fit.
		if err == nil {
			if _, err := stdcopy.StdCopy(&wantOut, &wantErr, bytes.NewReader(data)); err != nil {
				t.Fatalf("stdcopy refuses: %v", err)
			}
			if !bytes.Equal(stdout.Bytes(), wantOut.Bytes()) || !bytes.Equal(stderr.Bytes(), wantErr.Bytes()) {
				t.Errorf("%q and %q, stdcopy has %q and %q", &stdout, &stderr, &wantOut, &wantErr)
			}
		}
	})
}

func TestBufferHoldsBack(t *testing.T) {
	b := newBuffer(4)
	done := make(chan int)
	go func() {
		n, _ := b.Write([]byte("abcdefgh"))
		done <- n
	}()
	select {
	case n := <-done:
		t.Fatalf("%d bytes were taken, the buffer holds 4", n)
	case <-time.After(20 * time.Millisecond):
	}
	got := make([]byte, 8)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "abcdefgh" {
		t.Fatalf("%q, %v", got, err)
	}
	if n := <-done; n != 8 {
		t.Errorf("wrote %d", n)
	}
	b.Write([]byte("x"))
	b.end(io.EOF)
	if n, err := b.Read(got); n != 1 || err != nil {
		t.Errorf("what was held is lost: %d, %v", n, err)
	}
	if _, err := b.Read(got); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	if _, err := b.Write([]byte("x")); err == nil {
		t.Error("a write after the end was taken")
	}
}
