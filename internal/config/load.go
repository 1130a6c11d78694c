package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
)

// Load reads the file, then the variables of environ ("NAME=value", as [os.Environ] has them) that begin with ISTIRDAD_,
// then the files that they name. It returns no configuration that could not be served, and an error that tells all that is
// wrong, a line each: where, which key, why. No line repeats a value.
func Load(path string, environ []string) (Config, error) {
	l := read(path, environ)
	if !l.unread {
		for _, leaf := range l.leaves {
			if leaf.key != "database.migrate_url" || l.config.Database.MigrateOnStart {
				l.readSecret(leaf)
			}
		}
		l.check()
	}
	if err := l.err(); err != nil {
		return Config{}, err
	}
	return l.config, nil
}

// LoadDatabase reads the same file for "gateway migrate", which needs the database's owner and nothing else: of the
// secrets only that one's file is read, and of the other sections only the form is checked. Likewise Load leaves the
// owner's alone unless serve is to migrate, so that neither needs to be trusted with what is the other's.
func LoadDatabase(path string, environ []string) (Database, error) {
	l := read(path, environ)
	if !l.unread {
		l.readSecret(l.leaf("database.migrate_url"))
		if !l.knowsOwner() {
			l.readSecret(l.leaf("database.url"))
		}
		l.checkEnvironment()
		l.checkMigration()
	}
	if err := l.err(); err != nil {
		return Database{}, err
	}
	return l.config.Database, nil
}

// loader gathers a configuration and everything that is wrong with it.
type loader struct {
	reading
	config Config
	leaves []leaf // of config
}

// reading is a file being read, and everything that is wrong with it.
type reading struct {
	path     string            // of the file, as it was given
	said     map[string]string // where each key that was said was said: "gateway.yaml:12", "ISTIRDAD_LISTEN_CHANNEL"
	failed   map[string]bool   // keys of which something was told already
	unread   bool              // the file isn't known, so what it doesn't say isn't worth telling
	problems []error
}

func newReading(path string) reading {
	return reading{path: path, said: map[string]string{}, failed: map[string]bool{}}
}

func read(path string, environ []string) *loader {
	l := &loader{reading: newReading(path), config: Default()}
	l.leaves = leaves(&l.config)
	l.config.files = &files{kept: map[string]file{}}
	itself, err := readFile(path)
	if err != nil {
		l.unread = true
		l.problems = []error{fmt.Errorf("%s: %w", path, err)}
		return l
	}
	l.readYAML(itself.text, reflect.ValueOf(&l.config).Elem())
	inside := l.holdsSecret()
	l.readEnvironment(environ)
	l.resolvePaths()
	if why := itself.exposed(l.config.Environment); inside && why != "" {
		l.problems = append(l.problems, fmt.Errorf("%s: it holds a secret and %s", path, why))
	}
	return l
}

func (r *reading) err() error { return errors.Join(r.problems...) }

// bad notes what is wrong with a key, of which one thing is enough.
func (r *reading) bad(key, why string, args ...any) {
	if r.failed[key] {
		return
	}
	r.failed[key] = true
	r.problems = append(r.problems, fmt.Errorf("%s: %s: %s", r.where(key), key, fmt.Sprintf(why, args...)))
}

// where a key was said, or the entry of a list that it is of; the file, when nobody said it.
func (r *reading) where(key string) string {
	for _, k := range []string{key, partner(key)} {
		if where, found := r.said[k]; found {
			return where
		}
	}
	if i := strings.LastIndexByte(key, '.'); i > 0 {
		return r.where(key[:i])
	}
	return r.path
}

func (l *loader) holdsSecret() bool {
	for _, leaf := range l.leaves {
		if leaf.value.Type() == secretType && !leaf.value.IsZero() {
			return true
		}
	}
	return false
}

// resolvePaths lets relative paths start at the folder of the configuration file.
func (l *loader) resolvePaths() {
	absolute := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(l.path), path)
	}
	for _, leaf := range l.leaves {
		switch value := leaf.value.Addr().Interface().(type) {
		case *string:
			if strings.HasSuffix(leaf.key, fileSuffix) {
				*value = absolute(*value)
			}
		case *map[string]string:
			if strings.HasSuffix(leaf.key, fileSuffix+"s") {
				for id, path := range *value {
					(*value)[id] = absolute(path)
				}
			}
		}
	}
}

// knowsOwner tells whether the database's owner was named, if only by a file that can't be read.
func (l *loader) knowsOwner() bool {
	return l.config.Database.MigrateURL != "" || l.failed["database.migrate_url"]
}

// leaf is the key of that name, or none.
func (l *loader) leaf(key string) leaf {
	for _, leaf := range l.leaves {
		if leaf.key == key {
			return leaf
		}
	}
	return leaf{}
}

// readSecret gives a key that is a secret what is in its file.
func (l *loader) readSecret(secret leaf) {
	if secret.value.Type() != secretType {
		return
	}
	file := partner(secret.key)
	path := l.leaf(file).value.String()
	switch {
	case path == "":
	case !secret.value.IsZero():
		l.bad(secret.key, "it is given twice, here and by %s (%s)", file, l.where(file))
	default:
		text, err := l.config.files.secret(path, l.config.Environment)
		if err != nil {
			l.bad(file, "%v", err)
			l.failed[secret.key] = true
		}
		secret.value.SetString(string(text))
	}
}
