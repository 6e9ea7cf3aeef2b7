package upstream

import (
	"io"
	"net/http"

	"golang.org/x/net/websocket"
)

// WebSocket sends every message back (RFC 6455), on whatever path. To "headers" it
// answers what the opening request's were, as Echo does, and to "wait" nothing.
func WebSocket() http.Handler {
	return websocket.Server{Handler: func(c *websocket.Conn) {
		for {
			var m string
			if err := websocket.Message.Receive(c, &m); err != nil {
				return
			}
			switch m {
			case "headers":
				m = headerLines(c.Request().Header)
			case "wait":
				continue
			}
			if err := websocket.Message.Send(c, m); err != nil {
				return
			}
		}
	}}
}

func headerLines(h http.Header) string {
	r, w := io.Pipe()
	go func() { w.CloseWithError(h.Write(w)) }()
	b, _ := io.ReadAll(r)
	return string(b)
}
