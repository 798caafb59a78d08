using System.Collections.Concurrent;

namespace ManagedTransformers.Tokenizers;

/// <summary>Classes of regular expressions that do not follow from general categories, packed as <see cref="UnicodeData"/> is: Unicode 16, as version 0.22 of
/// the tokenizers library has it.</summary>
/// <remarks>Written by tools/reference/regex_classes.mjs, which asks the library about every code point.</remarks>
internal static class RegexData
{
    /// <summary>Alphabetic, and neither a letter nor a letter number.</summary>
    public static readonly CodePointSet OtherAlphabetic = new(
        "xQYBHQ3ABA4BAQECAQIBAUgLMA0BBxABZQcEBAICBAEjAR4QZgtlAgMJAQMBBGoBPAwDBwYUNgICDwECBQMKAh0DOgcCAgICCgEKAh0DOgUEAgICBAEeAgMBCwM6CAEDAQIVAhYDBAM6" +
        "BwICAgIJAgoCHgE7BQMDAQMKASgFOQcBAwEDCAILAh0DOgcBAwEDCAILAg8BDAQ6BwEDAQMKAQoCHQNLBgEBAQgSAj0BAgcSAWMBAgYBAhABowETCQsBJG4MAQECBBcEBAMBAwIHAwQN" +
        "DAEBCgT0DAIeAh4CHgJCE7wBAiIBdgwECd4BBTkKAhRKAgsDMQUwDzwDHgkCAjkLMhOcAyLBDTT2ESD08AEIIgLiAgEIARcFWAIyEAEBOQEmBRwMLQQwDCUBQw4MAQgCLQMyAQEDAgIF" +
        "ASwFBQHtAQizngEB1xAFhg0DAQIFBJQGBEEBwQICTwGDAgM1Di0CCwMtCQkBPQMkDBICOQMwDQ4CXAkCAQYBAgGdAQoXBDoHAgICAgoBCgJUCQEBAgEBBAECZw0BA2oS7QEHAgcdAlIP" +
        "AQFqC2cOgQIN9wEGAQICAgMBAQGOAQcCBgQBHAoqBQEEEgsuDpcDCAEHUxYBDnoGAwEBAgEDAQEDAUIFAQIBBNwCBAkCAQEwBwMD3YMBEaAcAQE3BwRdAqyZAQHhRgcBEQIHAQIBBWQB" +
        "txEB6A8aBhoGGg==");

    /// <summary>Lower case, and no Ll.</summary>
    public static readonly CodePointSet OtherLowercase = new(
        "qgEBDwH1AwkHAh4FYAE0AYEbAa8YPw0BIiWxBQENARAN0wEQ0AYakg8CnvQBAtIBAYEBAwMC4gYECQGWuAEBAgMBKgEJ9bADPg==");

    /// <summary>Upper case, and no Lu.</summary>
    public static readonly CodePointSet OtherUppercase = new(
        "4EIQxgYa4JgHGgYaBho=");

    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["arabic"] =
            "gAwFAQYBDgEDASABCgsaAWwBIlAw8AEfAQIFSwEd0OQDcxDrAgJQAjYHASAQcAUBhwHjHh9DAzcEgL4DBAEbAQIBAQIBAQoBBAEBAQEGAQQBAQEBAQEDAQIBAQIBAQEBAQEBAQEBAgEB" +
            "AgQBBwEEAQQBAQEKAREFAwEFARE0Ag==",
        ["armenian"] =
            "sQomAjICA4PrAwU=",
        ["bengali"] =
            "gBMEAQgCAgIWAQcBAQMEAgkCAgIECAEEAgEFAhk=",
        ["bopomofo"] =
            "6gUCmVwrcCA=",
        ["common"] =
            "AEEaBhovAQ8BBRcBHwHBAycFBQIUdAEJAQYBAQH9BAEGAQ4BAwEgAZwBAYQEAYEBAtkJAZUDBKICAe8LA0cCywECAQHNCQENAQcEAQYBAwIBhQYMAlcBCwMLAQ8RIT8mAQMCBgEbAREp" +
            "AwSaBRYLFaAHgAL0BAIgAWmABF6SAxUBAQEZDwgEBFsCAwFaApMBECAmCQEwQB9RLwFYqAHAM0CAsgEiZgOlAQr0AQGgAQGLAwEOAtKjAQLQAQoWIwETAQSTAQEBIBoGGgsKAS0CQAcB" +
            "BwoFggIDBC0DCVANMy3kARuk8wIE3B76AQa0A5wBdDz2AQonAj4DEQgCBx4EPdUBFAwUDFcJGYcBVQFHAQICAQICAgQBDAEBAQcBQQEEAggBBwEcAQQBBQEBAwcB1AICpAICMvEoREw9" +
            "wgUsBGQMDwIPAQ8BJQquATgaAQINLAQJBwIOBpoB2AcEEQMNA3cEXwYMBAEPDAQ4CAoGKAgeAgwEAj7UAgwOAg0DCgU4Bw8CCwYJB5MBAWaHiDABHmA=",
        ["cyrillic"] =
            "gAiFAQKpAdAuC6ABAUwB5yAgwPABYI6vAQKAxAM+IQE=",
        ["devanagari"] =
            "gBJRBA8CGuC+AiCA5AEK",
        ["ethiopic"] =
            "gCRJAQQCBwEBAQQCKQEEAiEBBAIHAQEBBAIPATkBBAJDAiADGuYzFwkHAQcBBwEHAQcBBwEHAQei+gEGAgYCBgkHAQex+QQHAQQBAgEP",
        ["georgian"] =
            "oCEmAQEFAQIrAQSQFysCA8AgJgEBBQE=",
        ["greek"] =
            "8AYEAQMCBAEBBAEBAQEDAQEBFAE/DhCmMgUyBQQFVAHAAhYCBgImAgYCCAEBAQEBAQEfAjUBDwEOAgYBEwIDAQmnAgG+lAIB2qsBTxEB36ADRg==",
        ["gujarati"] =
            "gRUDAQkBAwEWAQcBAgEFAgoBAwEDAgEPBAIMBwc=",
        ["gurmukhi"] =
            "gRQDAQYEAgIWAQcBAgECAQICAQEFBAICAwMBBwQBAQcR",
        ["han"] =
            "gF0aAVkM1gEvAQEBGQkOBMQHwDNAgKQBgLIB7gICaojqAQIMAo6gAuDNAiC6IAbeAQKCLQ6xOg/uBKITngTiC8smBeAg",
        ["hangul"] =
            "gCKAAq48AoECXnEfQR/h7QEdgwWkVwwXBDGkTx8DBgIGAgYCAw==",
        ["hebrew"] =
            "kQs3CBsEBqjqAxoBBQEBAQIBAgEK",
        ["hiragana"] =
            "wWBWBgPh/gWfAhIBHQOtgQEB",
        ["inherited"] =
            "gAZwlQICxAMLGgHgBQTbIh+BBAMBDQEHBAEGAQMCxgFAjAQCwgEhuR4EawLlmgMQEA7PBwHiAQHaIAHE9wIuAhegBAMRCAIHHgTS3jDwAQ==",
        ["kannada"] =
            "gBkNAQMBFwEKAQUCCQEDAQQHAgYCAQQCCgED",
        ["katakana"] =
            "oWFaAgPwARDQAS8BWI6YAwoBLdLgAgQBBwECAQGfAgMyAQ4E",
        ["khmer"] =
            "gC9eAgoGCuYDIA==",
        ["lao"] =
            "gR0CAQEBBQEYAQEBFwIFAQEBBwEKAgQ=",
        ["latin"] =
            "QRoGGi8BDwEFFwEfAcEDJwWbNCYGMQUEBQ0BRkGAAvECAQ0BEA2NAQIGARsBESnXFSCi9QFmA0MCAgEBAQgVDrAGKwEJAQSWnwEHmggaBhqlEAYBKgEJxa4DHwYG",
        ["malayalam"] =
            "gBoNAQMBMwEDAQYEEAIa",
        ["mongolian"] =
            "gDACAgEBFAZZByu1+wMN",
        ["myanmar"] =
            "gCCgAcCyAh9hINDYARQ=",
        ["sinhala"] =
            "gRsDARIDGAEJAQECBwMBBAYBAQEIBgoCA+yHBBQ=",
        ["tamil"] =
            "ghcCAQYDAwEEAwIBAQECAwIDAwMMBAUDAwEEAgEGAQ4VxacEMg0B",
        ["telugu"] =
            "gBgNAQMBFwEQAgkBAwEEBwIBAwIBAgQCCgcJ",
        ["thai"] =
            "gRw6BRw=",
        ["tibetan"] =
            "gB5IASQEJwEkAQ8BBwQC",
    };

    /// <summary>The code points of a script by its name in lower case; null: it is not here.</summary>
    private static readonly ConcurrentDictionary<string, CodePointSet> ReadScripts = new();

    public static CodePointSet? Script(string name) =>
        Scripts.TryGetValue(name, out string? packed) ? ReadScripts.GetOrAdd(name, static (_, packed) => new CodePointSet(packed), packed) : null;
}
