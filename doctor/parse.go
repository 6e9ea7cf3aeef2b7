package doctor

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseRelease reads os-release(5).
func parseRelease(data []byte) (name, family string) {
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[k] = strings.Trim(v, `"'`)
		}
	}
	for _, id := range strings.Fields(values["ID"] + " " + values["ID_LIKE"]) {
		switch id {
		case "debian", "ubuntu":
			return values["PRETTY_NAME"], debianFamily
		case "fedora", "rhel", "centos":
			return values["PRETTY_NAME"], fedoraFamily
		}
	}
	return values["PRETTY_NAME"], ""
}

// parseMemory reads MemTotal from /proc/meminfo, in bytes; 0 is not known.
func parseMemory(data []byte) int64 {
	for line := range strings.Lines(string(data)) {
		rest, ok := strings.CutPrefix(line, "MemTotal:")
		f := strings.Fields(rest)
		if !ok || len(f) == 0 {
			continue
		}
		kib, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil || kib < 0 || kib > 1<<50 {
			return 0
		}
		return kib << 10
	}
	return 0
}

// parseControllers reads /proc/cgroups: the controllers that are enabled.
func parseControllers(data []byte) []string {
	var out []string
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) == 4 && !strings.HasPrefix(f[0], "#") && f[3] == "1" {
			out = append(out, f[0])
		}
	}
	return out
}

// hasFilesystem reads /proc/filesystems.
func hasFilesystem(data []byte, name string) bool {
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == name {
			return true
		}
	}
	return false
}

// parseSubIDs counts a user's IDs in subuid(5): name or number, first, count.
func parseSubIDs(data []byte, user string, uid int) int {
	total := 0
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || f[0] == "" || f[0] != user && f[0] != strconv.Itoa(uid) {
			continue
		}
		if n, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			total = min(total+int(n), 1<<32)
		}
	}
	return total
}

// parseGroup finds a group by number in group(5), and whether it lists a user.
func parseGroup(data []byte, gid uint32, user string) (name string, listed bool) {
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 4 && f[2] == strconv.FormatUint(uint64(gid), 10) {
			return f[0], user != "" && slices.Contains(strings.Split(f[3], ","), user)
		}
	}
	return "", false
}

// contextName is the context that docker's config.json names.
func contextName(data []byte) string {
	var c struct {
		Current string `json:"currentContext"`
	}
	if json.Unmarshal(data, &c) != nil {
		return ""
	}
	return c.Current
}

// contextDir is where docker keeps a context, below its configuration.
func contextDir(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "contexts/meta/" + hex.EncodeToString(sum[:])
}

// contextHost is the address in a context's meta.json.
func contextHost(data []byte) string {
	var c struct {
		Endpoints map[string]struct{ Host string }
	}
	if json.Unmarshal(data, &c) != nil {
		return ""
	}
	return c.Endpoints["docker"].Host
}

// bare is an engine's address without user name, password and query, for people
// to read. What is no address at all is shown as a whole: it holds no password
// that anybody could have meant.
func bare(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		if _, rest, ok := strings.Cut(host, "@"); ok {
			return rest
		}
		return host
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// versionLine is the first line that the runtimes we know print.
var versionLine = regexp.MustCompile(`^[a-z][a-z0-9_-]* version:? (\S+)`)

// parseVersion finds the version in what `PROGRAM --version` printed.
func parseVersion(out []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if m := versionLine.FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	return ""
}

var dateDigits = regexp.MustCompile(`(?:^|[^0-9])(20[0-9]{6})(?:[^0-9]|[0-9]{6}|$)`)

// versionDate is the day in a gVisor version, of which there are three forms:
// release-20260701.0, v0.0.0-20260701204157-69c2d17aea96 and 0.0~20221219.0.
func versionDate(version string) (time.Time, bool) {
	m := dateDigits.FindStringSubmatch(version)
	if m == nil {
		return time.Time{}, false
	}
	day, err := time.Parse("20060102", m[1])
	return day, err == nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote makes one word of a shell out of s, and of no more than one line.
func quote(s string) string {
	s = word(s)
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
