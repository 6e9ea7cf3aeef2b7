package secret

import (
	"fmt"
	"strings"
)

// words splits a command as a POSIX shell splits it into words: at blanks, with
// single and double quotes and backslashes. No shell runs, so what one would act
// on is an error and not a part of a word: $VAR or | handed to a program as such
// is never what was meant. Quoted, it is. The error wraps ErrReference.
func words(command string) ([]string, error) {
	var all []string
	var word strings.Builder
	open := false // a word has begun, if only with ""
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == ' ' || c == '\t':
			if open {
				all = append(all, word.String())
				word.Reset()
				open = false
			}
			continue
		case c == '\'':
			end := strings.IndexByte(command[i+1:], '\'')
			if end < 0 {
				return nil, unclosed("'", i)
			}
			word.WriteString(command[i+1 : i+1+end])
			i += 1 + end
		case c == '"':
			end, err := doubleQuoted(command, i+1, &word)
			if err != nil {
				return nil, err
			}
			i = end
		case c == '\\':
			if i++; i == len(command) {
				return nil, fmt.Errorf("%w: nothing follows the backslash at the command's end", ErrReference)
			}
			word.WriteByte(command[i])
		case strings.IndexByte("|&;<>()$`*?[", c) >= 0, !open && (c == '~' || c == '#'):
			return nil, shellOnly(c, i)
		default:
			word.WriteByte(c)
		}
		open = true
	}
	if open {
		all = append(all, word.String())
	}
	if len(all) == 0 || all[0] == "" {
		return nil, fmt.Errorf("%w: want exec:COMMAND ARGS", ErrReference)
	}
	return all, nil
}

// doubleQuoted copies what stands from i on to the closing quote, and returns
// where that is.
func doubleQuoted(command string, i int, word *strings.Builder) (int, error) {
	begin := i - 1
	for ; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '"':
			return i, nil
		case c == '$' || c == '`':
			return 0, shellOnly(c, i)
		case c == '\\' && i+1 < len(command) && strings.IndexByte("\"\\$`", command[i+1]) >= 0:
			i++
			word.WriteByte(command[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, unclosed(`"`, begin)
}

func unclosed(quote string, at int) error {
	return fmt.Errorf("%w: the %s at character %d of the command is not closed", ErrReference, quote, at+1)
}

func shellOnly(c byte, at int) error {
	return fmt.Errorf("%w: the %c at character %d of the command means something to a shell, and none is run: quote it with '…', or write exec:sh -c '…'",
		ErrReference, c, at+1)
}
