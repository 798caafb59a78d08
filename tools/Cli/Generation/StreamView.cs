namespace ManagedTransformers.Cli;

/// <summary>Text that appears while it is made. On terminals what was given is grey, and control characters are shown instead of obeyed.</summary>
internal sealed class StreamView(CliConsole console)
{
    private bool _lineOpen;

    /// <summary>Writes text of the user.</summary>
    public void WriteGiven(string text) => Write(text, given: true);

    /// <summary>Writes text of the model.</summary>
    public void WriteNew(string text) => Write(text, given: false);

    /// <summary>Ends the last line.</summary>
    public void End()
    {
        if (_lineOpen)
            console.Out.WriteLine();
        console.Out.Flush();
    }

    private void Write(string text, bool given)
    {
        if (text.Length == 0)
            return;
        string shown = console.OutIsTerminal ? Show.Printable(text) : text;
        console.Out.Write(given ? Show.Grey(console, shown) : shown);
        console.Out.Flush();
        _lineOpen = !text.EndsWith('\n');
    }
}
