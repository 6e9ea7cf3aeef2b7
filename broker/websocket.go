package broker

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// RuleWebSocket cuts a WebSocket off.
const RuleWebSocket = "websocket"

// maxMessage is how large a message from an upstream may be, in bytes. One is read as
// a whole before it is passed on, as a value can lie across its fragments.
const maxMessage = 16 << 20

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opClose        = 0x8
	opControl      = 0x8 // the bit that control frames have
)

var errWebSocket = errors.New("the upstream does not keep to WebSocket")

// webSocket passes both directions on. What the caller sends goes as it is. What the
// upstream sends is read message by message, and leaves without the credential.
func (c *call) webSocket(resp *http.Response) {
	up, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.Header.Get("Sec-Websocket-Extensions") != "" {
		c.abandon(deny(RuleWebSocket, http.StatusBadGateway, "the upstream takes a WebSocket extension that was not offered"))
		return
	}
	c.status = resp.StatusCode
	c.x.Start(resp.StatusCode, c.headers(resp.Header), 0)
	down, from, err := c.x.Hijack()
	if err != nil {
		c.complaint = err.Error()
		return
	}
	end := func() { down.Close(); up.Close() }
	defer context.AfterFunc(c.x.Context(), end)()
	quiet := newAlarm(c.b.o.Times.Idle, end)
	defer quiet.stop()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.in, _ = io.Copy(up, quiet.reader(from)) // either end may go at any time
		up.Close()
	}()
	m := &messages{c: c, r: bufio.NewReader(quiet.reader(up)), w: bufio.NewWriter(down)}
	err = m.pass()
	end()
	<-sent
	if quiet.rang() {
		err = errQuiet
	}
	if err != nil {
		c.rule, c.complaint = RuleWebSocket, c.redacted(err.Error())
	}
}

var errQuiet = errors.New("nothing was sent in either direction for too long")

// messages reads a server's frames and writes them anew.
type messages struct {
	c *call
	r *bufio.Reader
	w *bufio.Writer
	// The ends of what came before, of messages and of control frames.
	tail, controls string

	kind    byte // of the message that is being put together
	message []byte
	open    bool
}

// pass ends with nil when the upstream does.
func (m *messages) pass() error {
	for {
		first, size, err := m.head()
		if err != nil {
			return ended(err)
		}
		op, final := first&0x0f, first&0x80 != 0
		switch {
		case first&0x70 != 0:
			return fmt.Errorf("%w: a frame uses an extension", errWebSocket)
		case op&opControl != 0 && (!final || size > 125), op == opContinuation != m.open && op&opControl == 0:
			return fmt.Errorf("%w: a frame is out of place", errWebSocket)
		case size > uint64(maxMessage-len(m.message)):
			return fmt.Errorf("%w: a message is larger than %d bytes", errWebSocket, maxMessage)
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(m.r, payload); err != nil {
			return ended(err)
		}
		if op&opControl != 0 {
			if m.spans(&m.controls, string(payload)) {
				return m.spanned()
			}
			// The code of a close is no text.
			if err := m.write(op, payload); err != nil || op == opClose {
				return err
			}
			continue
		}
		if op != opContinuation {
			m.kind = op
		}
		m.open = !final
		if m.message = append(m.message, payload...); !final {
			continue
		}
		message := m.message
		m.message = nil
		if m.spans(&m.tail, string(message)) {
			return m.spanned()
		}
		if err := m.write(m.kind, message); err != nil {
			return err
		}
	}
}

// head reads the beginning of a frame. Servers do not mask.
func (m *messages) head() (first byte, size uint64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(m.r, b[:2]); err != nil {
		return 0, 0, err
	}
	first = b[0]
	switch n := b[1]; {
	case n&0x80 != 0:
		return 0, 0, fmt.Errorf("%w: a frame is masked", errWebSocket)
	case n == 126:
		_, err = io.ReadFull(m.r, b[:2])
		return first, uint64(binary.BigEndian.Uint16(b[:2])), err
	case n == 127:
		_, err = io.ReadFull(m.r, b[:])
		return first, binary.BigEndian.Uint64(b[:]), err
	default:
		return first, uint64(n), nil
	}
}

// spans says whether a value begins in what came before and ends in what comes now,
// and takes the end of that into tail. Together with the beginning of a message it is
// looked at as far as any form of the value reaches.
func (m *messages) spans(tail *string, message string) bool {
	reach := m.c.b.redactor.Reach()
	begin := message[:min(len(message), reach)]
	_, n1 := m.c.b.redactor.Text(*tail)
	_, n2 := m.c.b.redactor.Text(begin)
	_, both := m.c.b.redactor.Text(*tail + begin)
	if len(message) >= reach {
		*tail = message[len(message)-reach:]
	} else {
		*tail = (*tail + message)[max(0, len(*tail)+len(message)-reach):]
	}
	return both > n1+n2
}

func (m *messages) spanned() error {
	m.c.hits++
	return errors.New("the credential lies across two messages")
}

// write sends a message in one frame, without the credential.
func (m *messages) write(op byte, payload []byte) error {
	text, n := m.c.b.redactor.Text(string(payload))
	m.c.hits += n
	if op&opControl != 0 {
		text = text[:min(len(text), 125)] // the placeholder may be longer than what it replaced
	}
	m.c.out += int64(len(text))
	_ = m.w.WriteByte(0x80 | op)
	switch size := len(text); {
	case size < 126:
		_ = m.w.WriteByte(byte(size))
	case size <= 0xffff:
		_, _ = m.w.Write(binary.BigEndian.AppendUint16([]byte{126}, uint16(size)))
	default:
		_, _ = m.w.Write(binary.BigEndian.AppendUint64([]byte{127}, uint64(size)))
	}
	_, _ = m.w.WriteString(text)
	return m.w.Flush()
}

// ended says that a connection's end is none of our errors.
func ended(err error) error {
	if errors.Is(err, errWebSocket) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "closed") {
		return nil
	}
	return err
}
