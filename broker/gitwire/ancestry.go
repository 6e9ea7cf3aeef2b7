package gitwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Upstream asks a server about its commits, as a fetch in protocol version 2 that
// takes the commits and leaves their trees, where the server lets it. It needs leave to
// fetch from the server, which is the broker's, not the sandbox's.
type Upstream struct {
	// Transport sends the two requests. It attaches the credential, limits what
	// a response may take in time, and records the use.
	Transport http.RoundTripper
	// URL is the repository's, as https://host/acme/widget.git.
	URL    string
	Format Format
	Limits Limits
	// Bytes is how long the answer may be: a server without filters sends the
	// trees and files, too. 0 is nothing.
	Bytes int64
}

// ErrUpstream says that the server did not answer the question.
var ErrUpstream = errors.New("the server could not be asked whether it is a fast-forward")

// Descends implements [Ancestry]. Its yes is computed from the commits that the server
// sent, as an Inspector's is.
func (u *Upstream) Descends(ctx context.Context, newer []string, older string) (bool, error) {
	yes, err := u.descends(ctx, newer, older)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUpstream, err)
	}
	return yes, nil
}

func (u *Upstream) descends(ctx context.Context, newer []string, older string) (bool, error) {
	filter, err := u.capabilities(ctx)
	if err != nil {
		return false, err
	}
	body := appendPacket(nil, "command=fetch\n")
	body = appendPacket(body, "object-format="+string(u.Format)+"\n")
	body = append(body, "0001"...)
	body = appendPacket(body, "no-progress\n")
	if filter {
		body = appendPacket(body, "filter tree:0\n")
	}
	for _, id := range newer {
		body = appendPacket(body, "want "+id+"\n")
	}
	body = appendPacket(body, "have "+older+"\n")
	body = appendFlush(appendPacket(body, "done\n"))

	response, err := u.send(ctx, http.MethodPost, "/git-upload-pack", body)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	r := &demux{r: io.LimitReader(response.Body, u.Bytes)}
	if err := r.start(); err != nil {
		return false, err
	}
	s := &scanner{source: source{r: r, w: io.Discard}, graph: newGraph(u.Format, u.Limits), at: map[int64]object{}}
	count, err := s.header()
	if err != nil {
		return false, err
	}
	found := false
	reached := func() bool {
		for _, id := range newer {
			answer, _ := s.graph.descends(parseID(id), parseID(older))
			found = found || answer == Yes
		}
		return found
	}
	if _, err := s.objects(ctx, count, reached); err != nil {
		return false, err
	}
	return reached(), nil
}

// capabilities says whether the server fetches in version 2 and filters.
func (u *Upstream) capabilities(ctx context.Context) (filter bool, err error) {
	response, err := u.send(ctx, http.MethodGet, "/info/refs?service=git-upload-pack", nil)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	r := io.LimitReader(response.Body, 1<<20)
	version, format, fetch := false, SHA1, false
	for n := 0; ; n++ {
		k, payload, err := readPacket(r)
		line := strings.TrimSuffix(string(payload), "\n")
		switch {
		case err != nil:
			return false, unexpected(err)
		case n == 0 && strings.HasPrefix(line, "# service="):
			if k, _, err = readPacket(r); err != nil || k != flush {
				return false, errors.New("its first answer is malformed")
			}
			continue
		case line == "version 2":
			version = true
			continue
		case !version:
			return false, errors.New("it does not speak protocol version 2")
		case k != data:
			if !fetch || format != u.Format {
				return false, fmt.Errorf("it has no fetch for objects of %s", u.Format)
			}
			return filter, nil
		}
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "fetch":
			fetch = true
			filter = strings.Contains(" "+value+" ", " filter ")
		case "object-format":
			format = Format(value)
		}
	}
}

func (u *Upstream) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Git-Protocol", "version=2")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	}
	response, err := u.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("it answers with status %d", response.StatusCode)
	}
	return response, nil
}

// demux reads the pack out of the answer to a fetch.
type demux struct {
	r    io.Reader
	left []byte
}

// start skips to the pack.
func (d *demux) start() error {
	for range 1000 {
		k, payload, err := readPacket(d.r)
		line := strings.TrimSuffix(string(payload), "\n")
		switch {
		case err != nil:
			return unexpected(err)
		case line == "packfile":
			return nil
		case strings.HasPrefix(line, "ERR "):
			return fmt.Errorf("it says %q", cut(plain(line[4:]), 200))
		case k == flush:
			return errors.New("it sends no pack")
		}
	}
	return errors.New("it sends no pack")
}

func (d *demux) Read(p []byte) (int, error) {
	for len(d.left) == 0 {
		k, payload, err := readPacket(d.r)
		switch {
		case err != nil:
			return 0, unexpected(err)
		case k == flush:
			return 0, io.EOF
		case k != data || len(payload) == 0:
			return 0, fmt.Errorf("%w: it has no band", errPacket)
		case payload[0] == 1:
			d.left = payload[1:]
		case payload[0] == 3:
			return 0, fmt.Errorf("it says %q", cut(plain(string(payload[1:])), 200))
		}
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}
