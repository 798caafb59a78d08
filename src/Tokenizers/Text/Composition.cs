namespace ManagedTransformers.Tokenizers;

/// <summary>Canonical composition (Unicode Standard, D117), keeping count of what it removes.</summary>
internal static class Composition
{
    /// <summary>Composes a text in canonical order. A mark that is blocked by one before it stays.</summary>
    public static List<Change> Of(List<Change> decomposed)
    {
        var composed = new List<Change>(decomposed.Count);
        var marks = new List<Change>();         // marks after the starter that did not compose with it
        Change? starter = null;
        int lastClass = -1;
        foreach (Change c in decomposed)
        {
            int combiningClass = Decomposition.CombiningClass(c.CodePoint);
            if (starter is not Change s)
            {
                if (combiningClass == 0) starter = c;
                else composed.Add(c);
                continue;
            }
            bool blocked = lastClass >= combiningClass && lastClass >= 0;
            if (!blocked && Decomposition.Compose(s.CodePoint, c.CodePoint) is int composite)
            {
                starter = new Change(composite, s.Kind + c.Kind - 1);
            }
            else if (combiningClass == 0)
            {
                composed.Add(s);
                composed.AddRange(marks);
                marks.Clear();
                starter = c;
                lastClass = -1;
            }
            else
            {
                marks.Add(c);
                lastClass = combiningClass;
            }
        }
        if (starter is Change last) composed.Add(last);
        composed.AddRange(marks);
        return composed;
    }
}
