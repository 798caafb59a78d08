using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>Fills <c>{name}</c> in a turn of the multi-turn benchmark, as Python's <c>turn.format(**input)</c> does there.</summary>
internal static class PromptTemplate
{
    /// <summary>The turn with its input; <c>{{</c> and <c>}}</c> are braces.</summary>
    /// <param name="template">The turn.</param>
    /// <param name="input">A JSON object: name and value.</param>
    /// <param name="line">Where it stands, for messages.</param>
    /// <exception cref="FormatException">The input is no object or lacks a name, or the braces do not fit together.</exception>
    public static string Fill(string template, JsonElement input, JsonLine line)
    {
        if (input.ValueKind != JsonValueKind.Object)
            throw line.Error($"has the input {input.GetRawText()}; an object with a value for each name in the turns is needed");
        var text = new StringBuilder();
        for (int i = 0; i < template.Length; i++)
        {
            char c = template[i];
            if (c is '{' or '}' && i + 1 < template.Length && template[i + 1] == c)
            {
                text.Append(c);
                i++;
            }
            else if (c == '{' && template.IndexOf('}', i) is int end and > 0)
            {
                string name = template[(i + 1)..end];
                if (!input.TryGetProperty(name, out JsonElement value))
                    throw line.Error($"has {{{name}}} in a turn, but the input {input.GetRawText()} has no such name");
                text.Append(value.ValueKind == JsonValueKind.String ? line.Text(name, value) : Python(value, line));
                i = end;
            }
            else if (c is '{' or '}')
            {
                throw line.Error($"has a single {c} in the turn \"{template}\"; a name stands between {{ and }}, and a brace itself is written twice");
            }
            else
            {
                text.Append(c);
            }
        }
        return text.ToString();
    }

    /// <summary>A value as Python writes it.</summary>
    private static string Python(JsonElement value, JsonLine line) => value.ValueKind switch
    {
        JsonValueKind.True => "True",
        JsonValueKind.False => "False",
        JsonValueKind.Null => "None",
        JsonValueKind.String => Quote(line.Text("input", value)),
        JsonValueKind.Array => $"[{string.Join(", ", value.EnumerateArray().Select(item => Python(item, line)))}]",
        JsonValueKind.Object => $"{{{string.Join(", ", value.EnumerateObject().Select(entry => $"{Quote(entry.Name)}: {Python(entry.Value, line)}"))}}}",
        _ => value.GetRawText(),
    };

    private static string Quote(string text)
    {
        char quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        string escaped = string.Concat(text.Select(c => c switch
        {
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\\' => "\\\\",
            _ when c == quote => $"\\{c}",
            _ when char.IsControl(c) => $"\\x{(int)c:x2}",
            _ => $"{c}",
        }));
        return $"{quote}{escaped}{quote}";
    }
}
