package config

import (
	"reflect"
	"strings"
)

// leaf is one key with its value, which can be set.
type leaf struct {
	key   string // "listen.channel"
	value reflect.Value
}

// secretType is looked for among the leaves.
var secretType = reflect.TypeFor[Secret]()

// leaves are all keys of a configuration, in the order of the manual.
func leaves(c *Config) []leaf { return below("", reflect.ValueOf(c).Elem()) }

func below(path string, section reflect.Value) []leaf {
	var all []leaf
	for i := range section.NumField() {
		if !section.Type().Field(i).IsExported() {
			continue
		}
		key := join(path, keyOf(section.Type().Field(i)))
		if value := section.Field(i); isSection(value.Type()) {
			all = append(all, below(key, value)...)
		} else {
			all = append(all, leaf{key, value})
		}
	}
	return all
}

// isSection tells a part of the tree from a value that happens to be a struct: the sections are of this package.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Config]().PkgPath()
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// variable is the environment's name of a key.
func variable(key string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// partner is the key that says the same thing in the other way: a secret's file for the secret, and the reverse. Not
// every partner exists.
func partner(key string) string {
	if secret, found := strings.CutSuffix(key, fileSuffix); found {
		return secret
	}
	return key + fileSuffix
}

const fileSuffix = "_file"
