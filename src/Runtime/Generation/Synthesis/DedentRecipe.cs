namespace ManagedTransformers;

/// <summary>Cuts where an indented block ends.</summary>
internal sealed class DedentRecipe : TruncationRecipe
{
    private const int TabWidth = 8;

    internal override bool LooksAtPrompt => true;

    internal override TruncationPoint Find(string prompt, string completion, bool complete)
    {
        // The first line of the completion is the rest of the prompt's last line.
        string begun = prompt[(prompt.LastIndexOf('\n') + 1)..];
        string text = begun + completion;
        int? block = null;
        int end = begun.Length;                                 // where the last line of the block ends
        for (int start = 0, stop; start <= text.Length; start = stop + 1)
        {
            stop = text.IndexOf('\n', start);
            stop = stop < 0 ? text.Length : stop;
            ReadOnlySpan<char> line = text.AsSpan(start, stop - start);
            if (line.IsWhiteSpace())
                continue;
            int indentation = Indentation(line);
            if (indentation < block)
                return new TruncationPoint(end - begun.Length, IsCertain: true);
            bool opensBlock = start == 0 && !string.IsNullOrWhiteSpace(begun) && OpensBlock(line);
            block ??= opensBlock ? null : indentation;
            end = Math.Max(end, stop);
        }
        // Blank lines belong to the block only if it goes on after them.
        return new TruncationPoint(complete ? completion.Length : end - begun.Length, IsCertain: complete);
    }

    private static int Indentation(ReadOnlySpan<char> line)
    {
        int width = 0;
        foreach (char c in line)
        {
            if (!char.IsWhiteSpace(c))
                break;
            width = c == '\t' ? (width / TabWidth + 1) * TabWidth : width + 1;
        }
        return width;
    }

    /// <summary>Whether a line ends with a colon, but for a comment.</summary>
    private static bool OpensBlock(ReadOnlySpan<char> line)
    {
        int comment = line.IndexOf('#');
        return line.TrimEnd().EndsWith(':') || (comment >= 0 && line[..comment].TrimEnd().EndsWith(':'));
    }
}
