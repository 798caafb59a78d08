using System.Text;

namespace ManagedTransformers.Cli;

/// <summary>
/// A standard stream as two threads write to it: that of the command, and the one that answers Ctrl+C and has the last word while the command may still be
/// writing. A write is a whole, and after the last word there is none.
/// </summary>
internal sealed class SharedWriter : TextWriter
{
    // Somebody who does not read keeps a write waiting for ever; the process ends all the same.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly TextWriter _inner;
    private readonly Lock _turn = new();
    private bool _ended;

    /// <summary>Writes to <paramref name="inner"/>, which nobody else writes to.</summary>
    public SharedWriter(TextWriter inner)
        : base(inner.FormatProvider)
    {
        _inner = inner;
        CoreNewLine = inner.NewLine.ToCharArray();
    }

    public override Encoding Encoding => _inner.Encoding;

    public override void Write(char value) => Write([value]);

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (_turn)
        {
            if (!_ended)
                _inner.Write(buffer);
        }
    }

    public override void WriteLine(string? value)
    {
        lock (_turn)
        {
            if (!_ended)
                _inner.WriteLine(value);
        }
    }

    public override void Flush()
    {
        lock (_turn)
        {
            if (!_ended)
                _inner.Flush();
        }
    }

    /// <summary>Ends the stream: writes what is left in it, and a last line. What others write afterwards goes nowhere.</summary>
    /// <returns>Whether it could; not while another write does not end.</returns>
    public bool TryEnd(string? lastLine = null)
    {
        if (!_turn.TryEnter(Patience))
            return false;
        try
        {
            _ended = true;
            if (lastLine is not null)
                _inner.WriteLine(lastLine);
            _inner.Flush();
            return true;
        }
        finally
        {
            _turn.Exit();
        }
    }
}
