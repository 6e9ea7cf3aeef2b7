package policy

import "strings"

// Nearest returns the candidate that word was probably meant to be, or "" when
// none is close: at most one slip in three letters, where a slip is a letter
// too many, too few, wrong, or two swapped. Case and the choice between - and _
// do not count. Of equally near candidates the first wins.
func Nearest(word string, candidates []string) string {
	const longest = 64 // keeps a hostile file from buying quadratic work
	if len(word) == 0 || len(word) > longest {
		return ""
	}
	fold := func(s string) []rune { return []rune(strings.ReplaceAll(strings.ToLower(s), "-", "_")) }
	w := fold(word)
	best, least := "", max(1, len(w)/3)+1
	for _, c := range candidates {
		if d := slips(w, fold(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// slips is the optimal string alignment distance.
func slips(a, b []rune) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
