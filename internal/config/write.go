package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/istirdad/istirdad/internal/money"
)

// String is everything that is in effect, as YAML, secrets masked.
func (c Config) String() string {
	text, err := marshal(c)
	if err != nil {
		return "config: " + err.Error()
	}
	return string(text)
}

// LogValue is what a gateway says of itself when it starts.
func (c Config) LogValue() slog.Value {
	host := func(address string) slog.Value {
		if u, err := url.Parse(address); err == nil {
			return slog.StringValue(u.Host)
		}
		return slog.StringValue(masked)
	}
	return slog.GroupValue(
		slog.String("environment", string(c.Environment)),
		slog.String("bank_code", c.Bank.Code),
		slog.Any("database", c.Database.URL),
		slog.Any("redis", c.Redis.URL),
		slog.Any("core", host(c.Core.URL)),
		slog.Any("bank", host(c.Bank.URL)),
		slog.Any("issuer", host(c.Bank.Issuer)),
		slog.Any("sms", host(c.SMS.URL)),
	)
}

// Write writes the configuration so that Load reads it again. Only its owner can read the file. Each secret goes into a
// file of its own beside it, named after its key: beside gateway.yaml, database.url is in gateway.database.url.
func (c Config) Write(path string) error {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	all := leaves(&c)
	files := map[string]reflect.Value{}
	for _, leaf := range all {
		files[leaf.key] = leaf.value
	}
	for _, leaf := range all {
		if leaf.value.Type() != secretType || leaf.value.IsZero() {
			continue
		}
		file := stem + "." + leaf.key
		if err := writeWhole(file, []byte(leaf.value.String()+"\n")); err != nil {
			return err
		}
		leaf.value.SetZero()
		files[partner(leaf.key)].SetString(filepath.Base(file))
	}
	text, err := marshal(c)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return writeWhole(path, text)
}

// Write writes the profile so that LoadProfile reads it again. Only its owner can read the file.
func (p Profile) Write(path string) error {
	text, err := marshal(p)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return writeWhole(path, text)
}

// String is everything that is in effect, as YAML.
func (p Profile) String() string {
	text, err := marshal(p)
	if err != nil {
		return "config: " + err.Error()
	}
	return string(text)
}

// writeWhole puts a file in its place at once, so that nobody reads half of one, and readable by its owner alone,
// whatever the file was like that it replaces.
func writeWhole(path string, text []byte) error {
	made, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(made.Name()) //nolint:errcheck // gone already, unless something went wrong
	_, err = made.Write(text)
	if err := errors.Join(err, made.Close()); err != nil {
		return err
	}
	return os.Rename(made.Name(), path)
}

// marshal writes YAML in the words that are read. What isn't said is written too, so that it can be seen.
func marshal(v any, options ...yaml.EncodeOption) ([]byte, error) {
	return yaml.MarshalWithOptions(v, append([]yaml.EncodeOption{
		yaml.CustomMarshaler(func(d time.Duration) ([]byte, error) { return []byte(brief(d)), nil }),
		yaml.CustomMarshaler(func(a money.Amount) ([]byte, error) { return []byte(`"` + a.String() + `"`), nil }),
	}, options...)...)
}

// brief writes a duration without the zeros at its end: 72h, not 72h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
