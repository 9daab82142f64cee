package config

import (
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// conforms knows as much of JSON Schema as the schema uses.
func conforms(root, s object, v any) bool {
	if ref, ok := s["$ref"].(string); ok {
		return conforms(root, root["definitions"].(object)[strings.TrimPrefix(ref, "#/definitions/")].(object), v)
	}
	if options, ok := s["anyOf"].([]any); ok {
		for _, option := range options {
			if conforms(root, option.(object), v) {
				return true
			}
		}
		return false
	}
	if want, ok := s["const"]; ok {
		return cmp.Equal(want, v)
	}
	if of, ok := s["enum"].([]any); ok {
		for _, want := range of {
			if cmp.Equal(want, v) {
				return true
			}
		}
		return false
	}
	switch v := v.(type) {
	case nil:
		return hasType(s, "null")
	case object:
		return hasType(s, "object") && conformsObject(root, s, v)
	case []any:
		if !hasType(s, "array") || float64(len(v)) < number(s["minItems"]) {
			return false
		}
		for _, item := range v {
			if !conforms(root, s["items"].(object), item) {
				return false
			}
		}
		return true
	case string:
		pattern, ok := s["pattern"].(string)
		return hasType(s, "string") && (!ok || matches(pattern, v))
	case bool:
		return hasType(s, "boolean")
	case float64:
		return hasType(s, "number") || hasType(s, "integer") && v == float64(int64(v)) && v >= number(s["minimum"])
	}
	return false
}

func conformsObject(root, s, v object) bool {
	if float64(len(v)) < number(s["minProperties"]) {
		return false
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return false
		}
	}
	properties, _ := s["properties"].(object)
	for name, value := range v {
		switch property, known := properties[name].(object); {
		case known && !conforms(root, property, value):
			return false
		case known:
		case s["additionalProperties"] == false:
			return false
		default:
			if more, ok := s["additionalProperties"].(object); ok && !conforms(root, more, value) {
				return false
			}
		}
	}
	return true
}

func hasType(s object, want string) bool {
	switch of := s["type"].(type) {
	case string:
		return of == want
	case []any:
		for _, one := range of {
			if one == want {
				return true
			}
		}
	}
	return false
}

func number(v any) float64 {
	n, _ := v.(float64)
	return n
}

func matches(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }
