// Helper is what runs in the containers of the tests with real runtimes.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

func main() {
	switch os.Args[1] {
	case "wait": // until stdin ends
		fmt.Print("ready\n")
		io.Copy(io.Discard, os.Stdin)
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "look": // who and where it is, a line each
		status, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(status)) {
			if key, _, _ := strings.Cut(line, ":"); strings.HasPrefix(key, "Cap") || key == "Uid" || key == "Groups" {
				fmt.Println(strings.Join(strings.Fields(line), " "))
			}
		}
		host, _ := os.Hostname()
		fmt.Println("hostname", len(host))
		links, _ := net.Interfaces()
		for _, l := range links {
			fmt.Println("interface", l.Name)
		}
		// Two writable roots of one image must not be one.
		fmt.Println("root", write("/made-inside"))
		fmt.Println("volume", write("/volume/made-inside"))
		content, _ := os.ReadFile("/volume/brought")
		fmt.Printf("brought %s\n", content)
	}
}

func write(name string) string {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "refused"
	}
	f.Close()
	return "written"
}
