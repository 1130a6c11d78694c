package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Error is an answer that begins with a minus: Redis's own words.
type Error string

func (e Error) Error() string { return string(e) }

// Do has the server carry out a command, on a connection of its own, and
// returns the answer as text: each element of a list on its line, nothing for
// nil. What Redis refuses is an [Error].
func (s *Server) Do(args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), patience) //nolint:noctx // it has a deadline
	if err != nil {
		return "", fmt.Errorf("redistest: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", fmt.Errorf("redistest: %w", err)
	}
	answers := bufio.NewReader(conn)
	if s.password != "" {
		if _, err := ask(conn, answers, "AUTH", s.password); err != nil {
			return "", err
		}
	}
	return ask(conn, answers, args...)
}

func ask(conn io.Writer, answers *bufio.Reader, args ...string) (string, error) {
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return "", fmt.Errorf("redistest: %w", err)
	}
	return read(answers)
}

func read(answers *bufio.Reader) (string, error) {
	line, err := answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("redistest: %w", err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("redistest: an empty answer")
	}
	rest := line[1:]
	switch line[0] {
	case '+', ':':
		return rest, nil
	case '-':
		return "", Error(rest)
	}
	n, err := strconv.Atoi(rest)
	switch {
	case err != nil || line[0] != '$' && line[0] != '*':
		return "", fmt.Errorf("redistest: not an answer of Redis: %q", line)
	case n < 0:
		return "", nil
	case line[0] == '$':
		text := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(answers, text); err != nil {
			return "", fmt.Errorf("redistest: %w", err)
		}
		return string(text[:n]), nil
	}
	elements := make([]string, n)
	for i := range elements {
		if elements[i], err = read(answers); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, "\n"), nil
}
