//go:build linux

package oci

import (
	"bytes"
)

// limited keeps the first bytes of what is written to it.
type limited struct {
	buf  *bytes.Buffer
	most int
}

func (l *limited) Write(p []byte) (int, error) {
	if room := l.most - l.buf.Len(); room > 0 {
		l.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
