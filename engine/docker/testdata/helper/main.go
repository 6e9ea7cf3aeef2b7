// Helper is what runs in the containers of the tests against a real engine.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

func main() {
	switch os.Args[1] {
	case "echo": // stdin to stdout, a word to stderr
		fmt.Fprint(os.Stderr, "to stderr")
		io.Copy(os.Stdout, os.Stdin)
	case "wait": // until stdin ends
		fmt.Print("ready\n")
		io.Copy(io.Discard, os.Stdin)
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "ids":
		fmt.Print(os.Getuid(), " ", os.Getgid())
	case "stat": // owner, mode, content, security.capability
		var st syscall.Stat_t
		if err := syscall.Stat(os.Args[2], &st); err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		content, _ := os.ReadFile(os.Args[2])
		xattr := make([]byte, 64)
		n, _ := syscall.Getxattr(os.Args[2], "security.capability", xattr)
		fmt.Printf("%d:%d %o %q %x", st.Uid, st.Gid, st.Mode&0o7777, content, xattr[:max(n, 0)])
	case "much": // more on stderr than is held back, then a word on stdout
		os.Stderr.Write(make([]byte, 3<<20))
		fmt.Print("done")
	}
}
