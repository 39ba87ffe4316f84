package destination

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// configFile is destinationConfig.json as Jitsu's sync-controller writes it (bulkerlib, implementations/sql/postgres.go and datasource_config.go).
type configFile struct {
	Type           any            `json:"destinationType"`
	Host           string         `json:"host"`
	Port           any            `json:"port"` // a number; a text with digits is one, too
	Database       string         `json:"database"`
	Schema         string         `json:"defaultSchema"`
	User           string         `json:"username"`
	Password       string         `json:"password"`
	SSLMode        string         `json:"sslMode"`
	Authorities    string         `json:"sslServerCA"`
	Certificate    string         `json:"sslClientCert"`
	Key            string         `json:"sslClientKey"`
	Parameters     map[string]any `json:"parameters"`
	Authentication string         `json:"authenticationMethod"`
}

// ParseConfig reads the content of destinationConfig.json into the options that it gives: URL, Setting, DefaultSchema and the certificates. name is
// what the file is called in messages. The error names it and the type or the field, and quotes no secret.
func ParseConfig(name string, content []byte) (Options, error) {
	options, err := parseConfig(content)
	if err != nil {
		return Options{}, fmt.Errorf("%s: %w", name, err)
	}
	options.Setting = name
	_, _, err = options.connection()
	return options, err
}

func parseConfig(content []byte) (Options, error) {
	var file configFile
	if err := json.Unmarshal(content, &file); err != nil {
		if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) && kind.Field != "" {
			return Options{}, fmt.Errorf("field %q is a JSON %s, want %s", kind.Field, strings.Fields(kind.Value)[0], jsonKind(kind.Type.Kind()))
		}
		return Options{}, errors.New("it is no JSON object")
	}
	switch kind := file.Type.(type) {
	case nil:
		return Options{}, errors.New(`it has no destinationType: want "postgres"`)
	case string:
		if kind != "postgres" {
			return Options{}, fmt.Errorf("destinationType %q is none that the sidecar delivers to by itself, as it does to \"postgres\": "+
				"set BULKER_URL to deliver by a Bulker server, or DESTINATION_URL", kind)
		}
	default:
		return Options{}, errors.New(`destinationType is no text: want "postgres"`)
	}
	if file.Authentication == "google-psc" {
		return Options{}, errors.New(`authenticationMethod "google-psc" is not supported: give host, username and password`)
	}
	return file.options()
}

// jsonKind is what JSON calls a kind of Go's.
func jsonKind(kind reflect.Kind) string {
	if kind == reflect.Map {
		return "object"
	}
	return kind.String()
}

// options are what the fields give.
func (f configFile) options() (Options, error) {
	query := url.Values{}
	for key, value := range f.Parameters {
		switch value.(type) {
		case string, float64, bool:
			query.Set(key, fmt.Sprint(value))
		default:
			return Options{}, fmt.Errorf("parameter %q is no text", key)
		}
	}
	switch f.SSLMode {
	case "":
	case "disable", "allow", "prefer", "require", "verify-ca", "verify-full":
		query.Set("sslmode", f.SSLMode)
	default:
		return Options{}, fmt.Errorf("sslMode %q is none: want disable, prefer, require, verify-ca or verify-full", f.SSLMode)
	}
	port, err := f.port()
	if err != nil {
		return Options{}, err
	}
	// In the query a socket's folder, names with slashes and empty parts are what they are.
	for name, value := range map[string]string{"host": f.Host, "port": port, "dbname": f.Database, "user": f.User, "password": f.Password} {
		if value != "" {
			query.Set(name, value)
		}
	}
	// libpq knows no + for a space.
	options := Options{URL: "postgres:///?" + strings.ReplaceAll(query.Encode(), "+", "%20"), DefaultSchema: f.Schema}
	if strings.HasPrefix(f.SSLMode, "verify-") {
		err = options.certify(f)
	}
	return options, err
}

// certify takes the certificates of the file.
func (o *Options) certify(f configFile) (err error) {
	for _, text := range []struct {
		field, from string
		to          *string
	}{
		{"sslServerCA", f.Authorities, &o.Authorities}, {"sslClientCert", f.Certificate, &o.Certificate}, {"sslClientKey", f.Key, &o.Key},
	} {
		if *text.to, err = pemText(text.from); err != nil {
			return fmt.Errorf("%s: %w", text.field, err)
		}
	}
	return nil
}

// port is the port as a text.
func (f configFile) port() (string, error) {
	const most = 65535
	number := 0.0
	switch port := f.Port.(type) {
	case nil:
		return "", nil
	case float64:
		number = port
	case string:
		parsed, err := strconv.ParseFloat(strings.TrimSpace(port), 64)
		if err != nil {
			return "", errors.New("port is no number")
		}
		number = parsed
	default:
		return "", errors.New("port is no number")
	}
	if number < 1 || number > most || number != float64(int(number)) {
		return "", fmt.Errorf("port must be 1 to %d", most)
	}
	return strconv.Itoa(int(number)), nil
}

// pemText is a certificate: an absolute path is that of the file which holds it.
func pemText(value string) (string, error) {
	if !filepath.IsAbs(value) {
		return value, nil
	}
	content, err := os.ReadFile(value)
	return string(content), err
}
