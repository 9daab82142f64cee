package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

var errHeaderTooLarge = errors.New("http1: the upstream's response header is too large")

// ending is what a line may end with.
type ending bool

const (
	orLF ending = false // CR LF or LF (RFC 9112, section 2.2)
	crLF ending = true  // as chunks have to, where length is all that counts
)

var errBareLF = malformed("a line without CR")

// readLines reads lines up to the first empty one, which is read too, and
// returns those before it. One string holds them all, so that fields can be cut
// out of it without an allocation each.
func readLines(in *bufio.Reader, limit int, e ending) (string, error) {
	line := 0 // where the line begins that has not ended yet
	for {
		b, err := in.Peek(in.Buffered())
		for err == nil {
			end := bytes.IndexByte(b[line:], '\n')
			if end < 0 {
				break
			}
			if e == crLF && (end == 0 || b[line+end-1] != '\r') {
				return "", errBareLF
			}
			if isEmpty(b[line : line+end]) {
				if line > limit {
					return "", errHeaderTooLarge
				}
				lines := string(b[:line])
				_, err = in.Discard(line + end + 1)
				return lines, err
			}
			line += end + 1
		}
		_, err = in.Peek(len(b) + 1)
		switch {
		case err == bufio.ErrBufferFull:
			return readLongLines(in, limit, e)
		case err == io.EOF:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		}
	}
}

// readLongLines is readLines for what is larger than the buffer.
func readLongLines(in *bufio.Reader, limit int, e ending) (string, error) {
	var all []byte
	line := 0
	for {
		part, err := in.ReadSlice('\n')
		all = append(all, part...)
		switch {
		case len(all) > limit:
			return "", errHeaderTooLarge
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		}
		if e == crLF && (len(all)-line < 2 || all[len(all)-2] != '\r') {
			return "", errBareLF
		}
		if isEmpty(all[line : len(all)-1]) {
			return string(all[:line]), nil
		}
		line = len(all)
	}
}

func isEmpty(line []byte) bool { return len(line) == 0 || len(line) == 1 && line[0] == '\r' }
