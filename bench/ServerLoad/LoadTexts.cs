using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>Texts of any length: code, and what is not ASCII.</summary>
internal static class LoadTexts
{
    private static readonly string[] s_parts =
    [
        "def add(a, b):\n    return a + b\n", "import os\n", "for i in range(10):\n", "    print(i)\n", "x = [1, 2, 3]\n", "function (key, value) {",
        " return null; }", "public static void Main()", "\tvar name = \"Ada Lovelace\";\n", "# TODO: ada@example.com\n", "if (a < b && c > d)", "größer",
        "日本語", "🙂", " \t ", "\r\n", "SELECT * FROM t;", "class Node:\n", "    def __init__(self):\n", "<div class=\"a\">", "\\n\"'", "0x7fff", "e\u0301",
        "\u200b", "with open(path) as f:\n", "192.168.0.1",
    ];

    /// <summary>A text of some parts, at least one.</summary>
    public static string Some(Random random, int most)
    {
        var text = new StringBuilder();
        for (int i = 1 + random.Next(most); i > 0; i--)
            text.Append(s_parts[random.Next(s_parts.Length)]);
        return text.ToString();
    }

    /// <summary>Several texts; seldom many.</summary>
    public static string[] Several(Random random, int most, int parts) =>
        [.. Enumerable.Range(0, 1 + (int)((most - 1) * Math.Pow(random.NextDouble(), 4))).Select(_ => Some(random, parts))];
}
