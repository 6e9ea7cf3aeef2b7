package gitwire

import (
	"errors"
	"fmt"
	"io"
)

// maxPacket is the longest packet, its four digits included (gitprotocol-common).
const maxPacket = 65520

// errPacket says that bytes are no pkt-line.
var errPacket = errors.New("it is no pkt-line")

// kind tells data from the packets that have only a length.
type kind uint8

const (
	data        kind = iota
	flush            // 0000
	delim            // 0001
	responseEnd      // 0002
)

// packetLength reads the four digits: the kind, and how many bytes of data follow.
// Git reads digits in both cases, and writes lower case.
func packetLength(digits []byte) (kind, int, error) {
	n := 0
	for _, c := range digits[:4] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return 0, 0, fmt.Errorf("%w: its length is %q", errPacket, digits[:4])
		}
	}
	switch {
	case n == 0:
		return flush, 0, nil
	case n == 1:
		return delim, 0, nil
	case n == 2:
		return responseEnd, 0, nil
	case n == 3 || n > maxPacket:
		return 0, 0, fmt.Errorf("%w: its length is %d, and 4 to %d are possible", errPacket, n, maxPacket)
	}
	return data, n - 4, nil
}

// readPacket reads one packet and not a byte more. The error is io.EOF only where
// nothing was read.
func readPacket(r io.Reader) (kind, []byte, error) {
	var digits [4]byte
	if _, err := io.ReadFull(r, digits[:]); err != nil {
		return 0, nil, err
	}
	k, n, err := packetLength(digits[:])
	if err != nil || k != data {
		return k, nil, err
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return data, payload, nil
}

// appendPacket appends a packet of data, which has to fit into one.
func appendPacket(to []byte, payload string) []byte {
	if len(payload) > maxPacket-4 {
		panic("gitwire: a packet of more than 65520 bytes")
	}
	return append(fmt.Appendf(to, "%04x", len(payload)+4), payload...)
}

func appendFlush(to []byte) []byte { return append(to, "0000"...) }

// splitter cuts a stream that is written to it into packets. Once it has met what is
// no packet, it takes no more.
type splitter struct {
	each func(kind, []byte) // the bytes are valid during the call
	held []byte             // the beginning of a packet, at most maxPacket
	err  error
}

func (s *splitter) write(p []byte) {
	for s.err == nil && len(p) > 0 {
		want := 4
		if len(s.held) >= 4 {
			_, n, _ := packetLength(s.held) // it was read before
			want = 4 + n
		}
		n := min(want-len(s.held), len(p))
		s.held, p = append(s.held, p[:n]...), p[n:]
		if len(s.held) < want {
			return
		}
		k, n, err := packetLength(s.held)
		if err != nil {
			s.err = err
			return
		}
		if len(s.held) == 4+n {
			s.each(k, s.held[4:])
			s.held = s.held[:0]
		}
	}
}
