package pages

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"regexp"
	"strings"
)

// MaxLogo is the largest logo in bytes. It stands in every page as base64.
const MaxLogo = 256 << 10

// Icon is Gatehouse's icon, image/svg+xml, for light and dark.
func Icon() []byte { return read("icon.svg") }

// Favicon is the same icon, image/x-icon, in 16, 32 and 48 pixels, for
// /favicon.ico where no route takes it.
func Favicon() []byte { return read("favicon.ico") }

// Menu is the script of the account menu, text/javascript, to be served as
// menu.js directly below the auth path: the script finds its data and its links
// from its own address.
func Menu() []byte {
	css, err := json.Marshal(squeeze(read("menu.css")))
	if err != nil {
		panic("pages: " + err.Error()) // a string always marshals
	}
	return []byte(strings.Replace(squeeze(read("menu.js")), `"menu.css"`, string(css), 1))
}

var blockComment = regexp.MustCompile(`(?s)/\*.*?\*/`)

// squeeze takes comments and indentation out of a style or script of this
// package. It is as simple as their source allows: comments stand on lines of
// their own or are /* */, and no string holds what looks like one.
func squeeze(src []byte) string {
	var b strings.Builder
	for line := range strings.Lines(blockComment.ReplaceAllString(string(src), "")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// svgStart is how an SVG file may begin: an XML declaration, a doctype and
// comments before the root. http.DetectContentType calls all of it text.
var svgStart = regexp.MustCompile(`^\x{FEFF}?\s*(?:<\?xml[^>]*>\s*|<!DOCTYPE[^>]*>\s*|<!--[\s\S]*?-->\s*)*<svg[\s>]`)

// logoURL embeds a logo as a data: URL. An SVG is shown by <img>, where browsers
// run no script of it and fetch nothing for it.
func logoURL(logo []byte, mediaType string) (template.URL, error) {
	if len(logo) == 0 {
		return "", nil
	}
	if len(logo) > MaxLogo {
		return "", fmt.Errorf("logo of %d bytes: at most %d fit, since every page carries it", len(logo), MaxLogo)
	}
	if mediaType == "" {
		mediaType = http.DetectContentType(logo)
		if svgStart.Match(logo) {
			mediaType = "image/svg+xml"
		}
	}
	mediaType, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return "", fmt.Errorf("type of the logo: %w", err)
	}
	switch mediaType {
	case "image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp":
		return dataURL(mediaType, logo), nil
	}
	return "", errors.New("logo is " + mediaType + ": want an SVG, PNG, JPEG, GIF or WebP")
}

func dataURL(mediaType string, b []byte) template.URL {
	return template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(b))
}
