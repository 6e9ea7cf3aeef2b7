package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// plainText is what needs no quotes in YAML, in block or flow: not all that
// YAML allows, but only what nobody has to think about.
var plainText = regexp.MustCompile(`^-{0,2}[A-Za-z0-9/._]([A-Za-z0-9/._+@:-]*[A-Za-z0-9/._+@-])?$`)

// Words that YAML 1.1 programs take for true and false, which matters once
// somebody else's tool reads the file.
var oldBools = []string{"y", "n", "yes", "no", "on", "off"}

// yamlText writes a text so that YAML reads back exactly that text.
func yamlText(s string) string {
	plain := plainText.MatchString(s) &&
		(&yaml.Node{Kind: yaml.ScalarNode, Value: s}).ShortTag() == "!!str" &&
		!slices.Contains(oldBools, strings.ToLower(s)) &&
		// 1:30 is ninety in YAML 1.1.
		!(s[0] >= '0' && s[0] <= '9' && strings.Contains(s, ":"))
	switch {
	case plain:
		return s
	case !printable(s):
		return strconv.Quote(s) // Go's escapes are all YAML's too
	case strings.ContainsAny(s, `"\`):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return `"` + s + `"`
}

// yamlValue writes a leaf of the tree on one line.
func yamlValue(leaf any) string {
	switch v := leaf.(type) {
	case string:
		return yamlText(v)
	case literal:
		return string(v)
	case []string:
		return flow(v, yamlText)
	case []int64:
		return flow(v, func(n int64) string { return strconv.FormatInt(n, 10) })
	}
	return fmt.Sprint(leaf) // int64 and bool
}

func flow[T any](list []T, write func(T) string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = write(v)
	}
	return "[" + strings.Join(words, ", ") + "]"
}
