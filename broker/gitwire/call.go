package gitwire

import (
	"errors"
	"fmt"
	"strings"
)

// Service is the program at the other end.
type Service string

// The services of smart HTTP. git-upload-archive is none: it has no HTTP form.
const (
	UploadPack  Service = "git-upload-pack"  // clone, fetch
	ReceivePack Service = "git-receive-pack" // push
)

// Call is what a request asks for.
type Call struct {
	// Repository is its path below the route, without a slash in front and
	// without ".git" at the end, as acme/widget. A server may keep two
	// repositories under the two spellings; they count as one here.
	Repository string
	Service    Service
	// Advertise is the first request of two: GET info/refs.
	Advertise bool
}

// ErrCall says that a request is none of the four that git makes.
var ErrCall = errors.New("it is no request of git's smart HTTP")

// Classify reads the request line. The path is the escaped one, as it came, below
// the route; query is what follows the question mark; contentType is the header's
// only value, and looked at for POST only. The error wraps [ErrCall].
//
// What it lets through can be sent on byte by byte: there is nothing in it that a
// server could decode, normalise or read in another way.
func Classify(method, path, query, contentType string) (Call, error) {
	c, err := classify(method, path, query, contentType)
	if err != nil {
		return Call{}, fmt.Errorf("%w: %w", ErrCall, err)
	}
	return c, nil
}

func classify(method, path, query, contentType string) (Call, error) {
	if strings.Contains(path+"/", "/info/lfs/") {
		return Call{}, errors.New("git LFS is not supported: its objects are kept on another server, under addresses that only that one knows")
	}
	if method != "GET" && method != "POST" {
		return Call{}, fmt.Errorf("git sends GET and POST, not %.20q", method)
	}
	if method == "POST" {
		return classifyPost(path, query, contentType)
	}
	repository, ok := strings.CutSuffix(path, "/info/refs")
	if !ok {
		return Call{}, errors.New("a GET is for info/refs only: the older protocol, which reads files (dumb HTTP), is not supported")
	}
	var c Call
	switch query {
	case "service=git-upload-pack":
		c = Call{Service: UploadPack, Advertise: true}
	case "service=git-receive-pack":
		c = Call{Service: ReceivePack, Advertise: true}
	case "":
		return Call{}, errors.New("info/refs needs ?service=git-upload-pack or git-receive-pack: the older protocol (dumb HTTP) is not supported")
	default:
		return Call{}, errors.New("the query of info/refs is ?service=git-upload-pack or ?service=git-receive-pack, in this spelling and with nothing else")
	}
	var err error
	c.Repository, err = repositoryName(repository)
	return c, err
}

func classifyPost(path, query, contentType string) (Call, error) {
	if query != "" {
		return Call{}, errors.New("a POST of git has no query")
	}
	at := strings.LastIndexByte(path, '/') + 1
	c := Call{Service: Service(path[at:])}
	if c.Service != UploadPack && c.Service != ReceivePack {
		return Call{}, errors.New("a POST is for git-upload-pack and git-receive-pack only")
	}
	if want := "application/x-" + string(c.Service) + "-request"; contentType != want {
		return Call{}, fmt.Errorf("the Content-Type of this POST has to be %s", want)
	}
	var err error
	c.Repository, err = repositoryName(strings.TrimSuffix(path[:at], "/"))
	return c, err
}

// maxRepository is how long a name may be, in bytes.
const maxRepository = 512

// repositoryName refuses what has a second meaning or a second spelling anywhere: on
// a file system, in a URL, in git's own search for a repository, which also tries
// the name with ".git" and "/.git" added.
func repositoryName(path string) (string, error) {
	name, ok := strings.CutPrefix(path, "/")
	if !ok || name == "" {
		return "", errors.New("the path names no repository")
	}
	if len(name) > maxRepository {
		return "", fmt.Errorf("the repository's name has more than %d bytes", maxRepository)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) }) >= 0 {
		return "", errors.New("the repository's name may have letters, digits and - _ . ~ + in it, and nothing that is percent-encoded")
	}
	name = strings.TrimSuffix(name, ".git")
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "":
			return "", errors.New("a part of the repository's name is empty")
		case segment[0] == '.' || strings.HasSuffix(segment, "."):
			return "", errors.New("a part of the repository's name begins or ends with a dot")
		case len(segment) >= 4 && strings.EqualFold(segment[len(segment)-4:], ".git"):
			return "", errors.New("the repository's name has .git in another place than its end, or twice")
		}
	}
	return name, nil
}

func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.~+/", r)
}

// Protocol reads the values of the Git-Protocol header, which is to be sent on: the
// version, 0 without one. Another version, key or a second value is an error that
// wraps [ErrCall].
func Protocol(values []string) (int, error) {
	if len(values) == 0 {
		return 0, nil
	}
	if len(values) == 1 {
		switch values[0] {
		case "version=0":
			return 0, nil
		case "version=1":
			return 1, nil
		case "version=2":
			return 2, nil
		}
	}
	return 0, fmt.Errorf("%w: the header Git-Protocol is version=0, 1 or 2, once", ErrCall)
}
