package test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// brokenEngines are what may listen where an engine should. Each has a
// connection of its own to do with as it likes.
var brokenEngines = map[string]func(net.Conn){
	"silent":  func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	"closing": func(c net.Conn) {},
	"garbage": func(c net.Conn) {
		// Random, but never a line feed by chance, and much of it.
		b := make([]byte, 1<<20)
		_, _ = rand.Read(b)
		_, _ = c.Write(slices.DeleteFunc(b, func(x byte) bool { return x == '\n' }))
	},
	"terminal": func(c net.Conn) { _, _ = c.Write([]byte("\x1b[2J\x1b]0;owned\x07\r\n\r\n")) },
	"web":      answering(http.StatusOK, "", "<html>It works!</html>"),
	"old":      answering(http.StatusOK, "1.40", `{"Version":"19.03.15","ApiVersion":"1.40","Os":"linux","Arch":"amd64"}`),
	"sick":     answering(http.StatusInternalServerError, "1.41", `{"message":"no space left on \u001b[31mdevice"}`),
	"empty":    answering(http.StatusOK, "1.41", `{}`),
	"endless": func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\r\n[")
		for block := []byte(strings.Repeat(`"x",`, 16<<10)); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	},
}

// answering gives every request the same answer.
func answering(status int, api, body string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
		if api != "" {
			_, _ = fmt.Fprintf(c, "Api-Version: %s\r\nOstype: linux\r\n", api)
		}
		_, _ = fmt.Fprintf(c, "\r\n%s", body)
	}
}

func engineCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || brokenEngines[args[0]] == nil {
		ts.Fatalf("usage: engine KIND, one of %d kinds", len(brokenEngines))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				brokenEngines[args[0]](c)
			}()
		}
	}()
	ts.Setenv("DOCKER_HOST", "tcp://"+l.Addr().String())
}
