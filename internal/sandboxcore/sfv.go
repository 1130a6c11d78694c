package sandboxcore

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Structured fields (RFC 9651), as much of them as signatures and digests need:
// dictionaries whose members are byte sequences or inner lists of strings, with
// parameters that are strings, integers or byte sequences.

var errField = errors.New("not a structured field")

// A parameter is one ;key=value, the value an int64, a string or []byte.
type parameter struct {
	key   string
	value any
}

// An innerList is ("a" "b");key=value.
type innerList struct {
	items  []string
	params []parameter
}

// String is the canonical serialisation (RFC 9651, section 4.1.1.1).
func (l innerList) String() string {
	var b strings.Builder
	b.WriteByte('(')
	for i, item := range l.items {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quote(item))
	}
	b.WriteByte(')')
	for _, p := range l.params {
		b.WriteString(";" + p.key + "=")
		switch v := p.value.(type) {
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case string:
			b.WriteString(quote(v))
		case []byte:
			b.WriteString(byteSequence(v))
		}
	}
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func byteSequence(b []byte) string {
	return ":" + base64.StdEncoding.EncodeToString(b) + ":"
}

// parseDictionary reads a dictionary; its values are []byte or innerList. A key
// that comes twice is an error here: no honest signer writes it.
func parseDictionary(field string) (map[string]any, error) {
	p := &fieldParser{rest: strings.Trim(field, " ")}
	members := make(map[string]any)
	for {
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if _, twice := members[key]; twice {
			return nil, fmt.Errorf("%w: member %q twice", errField, key)
		}
		if !p.take('=') {
			return nil, fmt.Errorf("%w: member %q has no value", errField, key)
		}
		if members[key], err = p.member(); err != nil {
			return nil, err
		}
		p.skip(" \t")
		if p.rest == "" {
			return members, nil
		}
		if !p.take(',') {
			return nil, fmt.Errorf("%w: members run together", errField)
		}
		p.skip(" \t")
	}
}

type fieldParser struct{ rest string }

func (p *fieldParser) skip(set string) { p.rest = strings.TrimLeft(p.rest, set) }

func (p *fieldParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// span takes the longest prefix of characters that are in.
func (p *fieldParser) span(in func(c byte) bool) string {
	n := 0
	for n < len(p.rest) && in(p.rest[n]) {
		n++
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *fieldParser) key() (string, error) {
	if p.rest == "" || !isLower(p.rest[0]) && p.rest[0] != '*' {
		return "", fmt.Errorf("%w: a key is missing", errField)
	}
	return p.span(func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }), nil
}

func (p *fieldParser) member() (any, error) {
	if !p.take('(') {
		value, err := p.bare()
		if err != nil {
			return nil, err
		}
		bytes, ok := value.([]byte)
		if !ok {
			return nil, fmt.Errorf("%w: a member is neither bytes nor a list", errField)
		}
		return bytes, nil
	}
	var list innerList
	for {
		p.skip(" ")
		if p.take(')') {
			break
		}
		item, err := p.str()
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, item)
		if p.rest == "" || p.rest[0] != ' ' && p.rest[0] != ')' {
			return nil, fmt.Errorf("%w: an item with parameters, or a list without end", errField)
		}
	}
	for p.take(';') {
		p.skip(" ")
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if !p.take('=') {
			return nil, fmt.Errorf("%w: parameter %q has no value", errField, key)
		}
		value, err := p.bare()
		if err != nil {
			return nil, err
		}
		list.params = append(list.params, parameter{key, value})
	}
	return list, nil
}

func (p *fieldParser) bare() (any, error) {
	switch {
	case p.rest == "":
		return nil, fmt.Errorf("%w: a value is missing", errField)
	case p.rest[0] == '"':
		return p.str()
	case p.rest[0] == ':':
		return p.bytes()
	case p.rest[0] == '-' || isDigit(p.rest[0]):
		return p.integer()
	}
	return nil, fmt.Errorf("%w: a value of another type", errField)
}

func (p *fieldParser) str() (string, error) {
	if !p.take('"') {
		return "", fmt.Errorf("%w: a string is missing", errField)
	}
	var b strings.Builder
	for p.rest != "" {
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case c == '"':
			return b.String(), nil
		case c == '\\':
			if p.rest == "" || p.rest[0] != '"' && p.rest[0] != '\\' {
				return "", fmt.Errorf("%w: a bad escape", errField)
			}
			b.WriteByte(p.rest[0])
			p.rest = p.rest[1:]
		case c < 0x20 || c > 0x7e:
			return "", fmt.Errorf("%w: a string outside ASCII", errField)
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("%w: a string without end", errField)
}

func (p *fieldParser) bytes() ([]byte, error) {
	p.take(':')
	text, rest, ok := strings.Cut(p.rest, ":")
	if !ok {
		return nil, fmt.Errorf("%w: bytes without end", errField)
	}
	p.rest = rest
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: bytes are not base64", errField)
	}
	return b, nil
}

// integer reads up to 15 digits (RFC 9651, section 3.3.1).
func (p *fieldParser) integer() (int64, error) {
	sign := ""
	if p.take('-') {
		sign = "-"
	}
	digits := p.span(isDigit)
	if digits == "" || len(digits) > 15 || strings.HasPrefix(p.rest, ".") {
		return 0, fmt.Errorf("%w: not an integer", errField)
	}
	return strconv.ParseInt(sign+digits, 10, 64)
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
