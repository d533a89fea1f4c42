package ort

import (
	"errors"
	"fmt"
	"strings"
)

// What a *LibraryError can be about.
var (
	ErrNotFound    = errors.New("library not found")
	ErrNotLibrary  = errors.New("not an ONNX Runtime library")
	ErrWrongCPU    = errors.New("library for another CPU")
	ErrTooOld      = errors.New("library too old")
	ErrLoad        = errors.New("library cannot be loaded")
	ErrAlreadyOpen = errors.New("another library is already open")
)

// What an *Error can be about, as far as the library's message tells.
var (
	ErrOutOfMemory  = errors.New("out of memory")
	ErrInvalidModel = errors.New("invalid model")
	ErrExternalData = errors.New("external data cannot be read")
	ErrUnsupported  = errors.New("unsupported by this library")
	ErrBadInput     = errors.New("input does not fit the model")
)

// ErrProviderUnavailable is what every *ProviderError is.
var ErrProviderUnavailable = errors.New("execution provider unavailable")

// ErrClosed is returned by what is used after its Close.
var ErrClosed = errors.New("already closed")

// LibraryError says why a library file cannot be used. Kind is one of
// ErrNotFound, ErrNotLibrary, ErrWrongCPU, ErrTooOld and ErrLoad, for errors.Is.
type LibraryError struct {
	Path    string
	Version string // where the file tells
	Kind    error
	Detail  string
}

func (e *LibraryError) Error() string {
	s := "ort: open " + e.Path + ": " + e.Kind.Error()
	if e.Path == "" {
		s = "ort: open: " + e.Kind.Error()
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *LibraryError) Unwrap() error { return e.Kind }

// ProviderError says that this library cannot run on an execution provider,
// and what would be right.
type ProviderError struct {
	Provider string // as in Options.Provider
	Library  string // path
	Version  string // of the library
	Reason   string // the library's own words
	Want     string // what would be right
}

func (e *ProviderError) Error() string {
	return fmt.Sprintf("ort: execution provider %q is not available in %s (version %s): %s; %s",
		e.Provider, e.Library, e.Version, strings.TrimRight(e.Reason, "."), e.Want)
}

func (e *ProviderError) Unwrap() error { return ErrProviderUnavailable }

// Error is what the library said, with what was being done. Kind is one of the
// sentinels above where the message could be classified, or nil.
//
// Note: the binding drops ONNX Runtime's status code, so that the message is
// all there is to classify by.
type Error struct {
	Op      string // "create session", "run", "bind input", ...
	Subject string // the session's name, or the input or output meant
	Kind    error
	Message string // ONNX Runtime's, unchanged
}

func (e *Error) Error() string {
	s := "ort: " + e.Op
	if e.Subject != "" {
		s += " " + e.Subject
	}
	if e.Kind == ErrOutOfMemory { // its message may be as bare as "std::bad_alloc"
		s += ": " + e.Kind.Error()
	}
	return s + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Kind }

// wrap makes an *Error of what the binding returned.
func wrap(op, subject string, err error) error {
	msg := innermost(err)
	return &Error{Op: op, Subject: subject, Kind: classify(msg), Message: msg}
}

// classify reads a message of ONNX Runtime 1.32.0. The order matters: an
// allocation that fails while external data is read is about memory.
func classify(msg string) error {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(msg, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("bad_alloc", "Failed to allocate memory", "out of memory", "Available memory of", "BFCArena::AllocateRawInternal", "bad array new length"):
		return ErrOutOfMemory
	case has("External data path", "External initializer", "external data", "external initializer", "GetExtDataFromTensorProto"):
		return ErrExternalData
	case has("Could not find an implementation", "Failed to find kernel", "are not supported", "is not a registered function/op", "No Op registered", "Unsupported model IR version", "is under development and support for this is limited", "NOT_IMPLEMENTED", "not supported in this build", "not enabled in this build"):
		return ErrUnsupported
	case has("Invalid rank for input", "Got invalid dimensions for input", "Unexpected input data type", "Missing Input", "Invalid input name", "Invalid output name", "Invalid Feed Input Name", "Got: ", "does not match expected", "Expected shape from model", "indices element out of data bounds"):
		return ErrBadInput
	case has("Protobuf parsing failed", "This is an invalid model", "ModelProto does not have a graph", "Type Error", "ShapeInferenceError", "Deserialize tensor", "Fatal error", "Node (", "Invalid model", "not a valid"):
		return ErrInvalidModel
	}
	return nil
}
