using System.Text;

namespace ManagedTransformers.Cli;

/// <summary>
/// A standard stream as two threads write to it: that of the command, and the one that answers Ctrl+C and has the last word while the command may still be
/// writing. A write is a whole, and after the last word there is none.
/// </summary>
internal sealed class SharedWriter : TextWriter
{
    // Somebody who does not read keeps a write waiting for ever; a command that was told to end does so all the same.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly TextWriter _inner;
    private readonly Lock _turn = new();
    private bool _ended;
    private bool _inLine;

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
            if (_ended || buffer.IsEmpty)
                return;
            _inner.Write(buffer);
            _inLine = buffer[^1] != '\n';
        }
    }

    public override void WriteLine() => Write(CoreNewLine);

    public override void WriteLine(string? value)
    {
        lock (_turn)
        {
            if (_ended)
                return;
            _inner.WriteLine(value);
            _inLine = false;
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
    /// <param name="lastLine">That line; null for none.</param>
    /// <param name="ownLine">Whether it is left out where it would stand in a line that was begun: half a value of JSON is none, whatever follows.</param>
    /// <param name="patient">Whether it waits for somebody who reads slowly; else for some seconds.</param>
    public void End(string? lastLine = null, bool ownLine = false, bool patient = true)
    {
        if (patient)
            EndNow(lastLine, ownLine);
        else
            Task.WhenAny(Task.Run(() => EndNow(lastLine, ownLine)), Task.Delay(Patience)).Wait();      // what goes wrong is nobody's any more
    }

    private void EndNow(string? lastLine, bool ownLine)
    {
        if (!_turn.TryEnter(Patience))
            return;                                 // a write that does not end is that of a command which was given up
        try
        {
            _ended = true;
            if (lastLine is not null && !(ownLine && _inLine))
                _inner.WriteLine(lastLine);
            _inner.Flush();
        }
        finally
        {
            _turn.Exit();
        }
    }
}
