package broker

import (
	"io"
	"net"
	"os"
)

// childCall has this program connect to the socket that it names.
const childCall = "TIGHTSHIP_TEST_CALL"

// callOnce connects, and ends with its input.
func callOnce(socket string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
