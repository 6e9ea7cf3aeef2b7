package docker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/tightship-dev/tightship/engine"
)

// hijack makes the call that turns a connection into a raw stream (Engine API,
// "Attach to a container"). The client library has one too, but reads a header
// of any size and drops the engine's own words when it refuses.
func (e *Engine) hijack(ctx context.Context, route string, query url.Values, request any) (net.Conn, *bufio.Reader, error) {
	var content []byte
	if request != nil {
		var err error
		if content, err = json.Marshal(request); err != nil {
			return nil, nil, err
		}
	}
	req, err := e.request(ctx, http.MethodPost, route, query, content)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")

	conn, err := e.dialer.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	br, err := upgrade(ctx, conn, req)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		recordOf(ctx).broke(err)
		conn.Close()
		return nil, nil, err
	}
	return conn, br, nil
}

// request is one that the client library has no call for.
func (e *Engine) request(ctx context.Context, method, route string, query url.Values, content []byte) (*http.Request, error) {
	target := url.URL{
		Scheme: "http", Host: e.dialer.host(), RawQuery: query.Encode(),
		Path: path.Join("/", e.dialer.where.basePath, "v"+e.cli.ClientVersion(), route),
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// refused reads an error answer.
func refused(status int, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil && err != io.EOF {
		return err
	}
	var answer struct{ Message string }
	if json.Unmarshal(data, &answer) != nil || answer.Message == "" {
		answer.Message = strings.TrimSpace(string(data))
	}
	return &apiError{status, answer.Message}
}

func upgrade(ctx context.Context, conn net.Conn, req *http.Request) (*bufio.Reader, error) {
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	bounded := &boundedReader{r: conn, left: maxHeader}
	br := bufio.NewReader(bounded)
	resp, err := http.ReadResponse(br, req)
	if bounded.left <= 0 {
		return nil, fmt.Errorf("%w: a header longer than %d bytes", engine.ErrBadAnswer, maxHeader)
	}
	if err != nil {
		return nil, err
	}
	recordOf(ctx).answered(resp.StatusCode)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		bounded.unbounded = true
		return br, nil
	}
	if resp.StatusCode < 400 {
		return nil, fmt.Errorf("status %d instead of a stream", resp.StatusCode)
	}
	return nil, refused(resp.StatusCode, resp.Body)
}

// boundedReader ends after a number of bytes until that is lifted.
type boundedReader struct {
	r         io.Reader
	left      int
	unbounded bool
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.unbounded {
		return b.r.Read(p)
	}
	if b.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
